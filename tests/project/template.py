"""The templates as CloudFormation sees them, for tests.

A resource of a nested template is named `FOLDER/LOGICAL_ID`, for example `polling/PollingFunction`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from tools import sam

ALIAS = "Aliaslive"
"""Suffix that SAM appends to a function's logical ID for its alias."""
DURABLE = {
    "polling/PollingFunction",
    "event_callback/EventCallbackFunction",
    "webhook_callback/WebhookCallbackFunction",
    "approval/ApprovalFunction",
    "batch_import/BatchImportFunction",
    "fan_out/PostingBookkeepingFunction",
    "schedule/ScheduleFunction",
    "workflow/WorkflowFunction",
    "versioned/VersionedFunction",
}
UNPINNED = "versioned/VersionedFunction"
"""The durable function without an alias: its executions run as `$LATEST`, because the pattern is
about executions that meet new code."""
PATTERNS = sorted(name.split("/")[0] for name in DURABLE)
WAITING = ("approval", "event_callback", "webhook_callback")
"""The patterns that wait for a callback, and nest what all of them share."""
NESTED = sorted(sam.TEMPLATES)
TOP = "top"
_SUBSTITUTED = re.compile(r"\$\{([^!.}]+)(?:\.[^}]*)?\}")


@cache
def written(folder: str) -> dict[str, Any]:
    """Return a template as it is written; don't modify it."""
    return sam.read(sam.TOP if folder == TOP else sam.TEMPLATES[folder])


@cache
def expanded(folder: str) -> dict[str, Any]:
    return sam.expand(sam.TOP if folder == TOP else sam.TEMPLATES[folder])


def resources() -> dict[str, Any]:
    """Return the resources of all nested templates."""
    return {
        f"{folder}/{name}": resource
        for folder in NESTED
        for name, resource in expanded(folder)["Resources"].items()
    }


def of_type(kind: str) -> dict[str, Any]:
    return {
        name: resource.get("Properties", {})
        for name, resource in resources().items()
        if resource["Type"] == kind
    }


def functions() -> dict[str, Any]:
    return of_type("AWS::Lambda::Function")


def baselines() -> set[str]:
    """Return the baseline functions, which are deployed only on request."""
    return {name for name in functions() if name.startswith("baselines/")}


def near(name: str, logical_id: str) -> str:
    """Return the name of a resource in the same template as another one."""
    return f"{name.split('/', maxsplit=1)[0]}/{logical_id}"


def latest(function: str) -> dict[str, str]:
    """Return a reference to a function's unpublished code."""
    return {"Fn::Sub": f"${{{function.split('/')[1]}.Arn}}:$LATEST"}


def function_of(name: str, target: Mapping[str, str]) -> str:
    """Return the function whose alias a resource references, which must be in its template."""
    if near(name, UNPINNED.split("/")[1]) == UNPINNED and target == latest(UNPINNED):
        return UNPINNED
    assert target["Ref"].endswith(ALIAS), "functions are invoked through their alias"
    return near(name, target["Ref"].removesuffix(ALIAS))


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every statement of inline and separate policies, with the role's or policy's name."""
    for name, role in of_type("AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            yield from ((name, s) for s in policy["PolicyDocument"]["Statement"])
    for name, policy in of_type("AWS::IAM::Policy").items():
        yield from ((name, s) for s in policy["PolicyDocument"]["Statement"])


def as_list(one_or_more: Any) -> list[Any]:
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


def references(value: Any) -> Iterator[str]:
    """Yield every name that a part of a template references, resource or not."""
    if isinstance(value, list):
        for part in value:
            yield from references(part)
    if not isinstance(value, dict):
        return
    for key, part in value.items():
        match key, part:
            case "Ref", str():
                yield part
            case "Fn::GetAtt", _:
                yield (part if isinstance(part, list) else part.split("."))[0]
            case "Fn::Sub", _:
                text, variables = part if isinstance(part, list) else (part, {})
                yield from (name for name in _SUBSTITUTED.findall(text) if name not in variables)
                yield from references(variables)
            case _:
                yield from references(part)


def dependencies(template: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return, for each resource, the resources that CloudFormation has to create before it."""
    everything = template["Resources"]
    return {
        name: {
            *(target for target in references(resource) if target in everything),
            *as_list(resource.get("DependsOn", [])),
        }
        for name, resource in everything.items()
    }
