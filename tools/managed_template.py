"""The template with its durable functions on Lambda Managed Instances.

`python -m tools.managed_template > managed.yaml` makes it, because SAM takes no condition around
`CapacityProviderConfig`, and CloudFormation could not follow one: where a function computes is
settled when it is created. So this is deployed as a stack of its own, and takes the capacity
provider as a parameter.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Any

from tools import sam

PARAMETER = "CapacityProvider"
LEAST_MEMORY_MB = 2048
"""The least that a function on managed instances can have (AWS Lambda developer guide)."""
GIB_PER_VCPU = 2.0
"""With the least memory, one vCPU; other values are 4 and 8 (the same guide)."""
PROCESSES = 16
"""Python processes in an environment: the runtime's default for one vCPU. All of them share the
memory."""


def durable_functions(template: dict[str, Any]) -> set[str]:
    """The logical ids of the durable functions."""
    return {
        name
        for name, resource in template["Resources"].items()
        if "DurableConfig" in resource.get("Properties", {})
    }


def managed(template: dict[str, Any], functions: Collection[str]) -> dict[str, Any]:
    """A template, with some of its functions on the capacity provider that a parameter names.

    Parameters:
        functions: their logical ids.
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
    # Of reserved concurrency the documents of managed instances say nothing.
    kept = {name: v for name, v in properties.items() if name != "ReservedConcurrentExecutions"}
    return kept | {
        "CapacityProviderConfig": {
            "Arn": {"Ref": PARAMETER},
            "ExecutionEnvironmentMemoryGiBPerVCpu": GIB_PER_VCPU,
            "PerExecutionEnvironmentMaxConcurrency": PROCESSES,
        },
        "MemorySize": LEAST_MEMORY_MB,
        # SAM would delete the version that executions which wait have to be resumed with.
        "VersionDeletionPolicy": "Retain",
    }


def main() -> None:
    """Print the template."""
    template = sam.read()
    sys.stdout.write(sam.as_yaml(managed(template, durable_functions(template))))


if __name__ == "__main__":
    main()
