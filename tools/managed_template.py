"""The template with its durable functions on Lambda Managed Instances.

`python -m tools.managed_template > managed.yaml` generates it. A condition in the template can't
replace it: SAM rejects one around `CapacityProviderConfig`, and CloudFormation could not apply it,
because a function's compute type is fixed at creation. Deploy the result as a separate stack; it
takes the capacity provider as a parameter.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Any

from tools import sam

PARAMETER = "CapacityProvider"
MINIMUM_MEMORY_MB = 2048
"""Minimum memory of a function on managed instances (AWS Lambda developer guide)."""
GIB_PER_VCPU = 2.0
"""One vCPU at the minimum memory; the other valid values are 4 and 8 (same guide)."""
PROCESSES = 16
"""Python processes per environment: the runtime's default for one vCPU. They share its memory."""


def durable_functions(template: dict[str, Any]) -> set[str]:
    """Return the logical IDs of the durable functions."""
    return {
        name
        for name, resource in template["Resources"].items()
        if "DurableConfig" in resource.get("Properties", {})
    }


def managed(template: dict[str, Any], functions: Collection[str]) -> dict[str, Any]:
    """Return a template with some of its functions on the capacity provider of a parameter.

    Parameters:
        template: the SAM template.
        functions: logical IDs of the functions to move.
    """
    resources = dict(template["Resources"])
    for name in functions:
        resources[name] = resources[name] | {"Properties": _managed(resources[name]["Properties"])}
    parameter = {
        "Type": "String",
        "AllowedPattern": "arn:[^:]+:lambda:[^:]+:[0-9]+:capacity-provider:.+",
        "Description": "The ARN of the capacity provider that the durable functions run on.",
    }
    parameters = template["Parameters"] | {PARAMETER: parameter}
    return template | {"Parameters": parameters, "Resources": resources}


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
    """Print the template."""
    template = sam.read()
    sys.stdout.write(sam.as_yaml(managed(template, durable_functions(template))))


if __name__ == "__main__":
    main()
