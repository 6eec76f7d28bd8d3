"""The templates with their durable functions on Lambda Managed Instances.

`python -m tools.managed_template` writes them into `managed/`: one for all patterns, and one for
each. A condition in the templates can't replace them: SAM rejects one around
`CapacityProviderConfig`, and CloudFormation could not apply it, because a function's compute type
is fixed at creation. Deploy the result as a separate stack; it takes the capacity provider as a
parameter.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from tools import sam

FOLDER = sam.ROOT / "managed"
PARAMETER = "CapacityProvider"
MINIMUM_MEMORY_MB = 2048
"""Minimum memory of a function on managed instances (AWS Lambda developer guide)."""
GIB_PER_VCPU = 2.0
"""One vCPU at the minimum memory; the other valid values are 4 and 8 (same guide)."""
PROCESSES = 16
"""Python processes per environment: the runtime's default for one vCPU. They share its memory."""

_PATHS = {
    "AWS::Serverless::Application": "Location",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}


def durable_functions(template: dict[str, Any]) -> set[str]:
    """Return the logical IDs of the durable functions."""
    return {
        name
        for name, resource in template["Resources"].items()
        if "DurableConfig" in resource.get("Properties", {})
    }


@cache
def patterns() -> dict[str, Path]:
    """Return the templates whose durable functions can be managed, by folder.

    A managed function runs published versions only, so one that is invoked as `$LATEST` can't be.
    """
    return {
        name: path
        for name, path in sam.TEMPLATES.items()
        if durable_functions(sam.read(path)) and ":$LATEST" not in path.read_text()
    }


def managed(path: Path) -> dict[str, Any]:
    """Return a template with its durable functions on the capacity provider of a parameter.

    Parameters:
        path: the template of one pattern, or the one that nests all.
    """
    template = _moved(sam.read(path), path.parent)
    resources = template["Resources"]
    for name in durable_functions(template):
        resources[name] = resources[name] | {"Properties": _managed(resources[name]["Properties"])}
    for resource in resources.values():
        _nest(resource)
    parameter = {
        "Type": "String",
        "AllowedPattern": "arn:[^:]+:lambda:[^:]+:[0-9]+:capacity-provider:.+",
        "Description": "The ARN of the capacity provider that the durable functions run on.",
    }
    return template | {"Parameters": template["Parameters"] | {PARAMETER: parameter}}


def _moved(template: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make the paths in a template relative to the folder of the managed ones."""
    if "Globals" in template:
        code = template["Globals"]["Function"]
        code["CodeUri"] = _relative(folder / code["CodeUri"])
    for resource in template["Resources"].values():
        if key := _PATHS.get(resource["Type"]):
            resource["Properties"][key] = _relative(folder / resource["Properties"][key])
    return template


def _relative(path: Path) -> str:
    return os.path.relpath(path.resolve(), FOLDER)


def _nest(resource: dict[str, Any]) -> None:
    """Nest a pattern's managed template instead of its own."""
    properties = resource.get("Properties", {})
    name = Path(properties.get("Location", "")).parent.name
    if name in patterns():
        properties["Location"] = f"{name}.yaml"
        properties["Parameters"][PARAMETER] = {"Ref": PARAMETER}


def _managed(properties: dict[str, Any]) -> dict[str, Any]:
    # The documentation of managed instances does not mention reserved concurrency.
    unchanged = {n: value for n, value in properties.items() if n != "ReservedConcurrentExecutions"}
    return unchanged | {
        "CapacityProviderConfig": {
            "Arn": {"Ref": PARAMETER},
            "ExecutionEnvironmentMemoryGiBPerVCpu": GIB_PER_VCPU,
            "PerExecutionEnvironmentMaxConcurrency": PROCESSES,
        },
        "MemorySize": MINIMUM_MEMORY_MB,
        # SAM would delete the version that waiting executions resume on.
        "VersionDeletionPolicy": "Retain",
    }


def main() -> None:
    """Write the templates."""
    FOLDER.mkdir(exist_ok=True)
    for name, path in {"template": sam.TOP, **patterns()}.items():
        (FOLDER / f"{name}.yaml").write_text(sam.as_yaml(managed(path)))


if __name__ == "__main__":
    main()
