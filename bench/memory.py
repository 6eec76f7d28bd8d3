"""Peak memory of an execution with as many operations as the quota allows: steps, or branches."""

from __future__ import annotations

import sys

from bench import handlers, sides
from bench.measuring import own_peak_memory_mb
from dacapo.service import quotas

EXECUTIONS = {
    "steps": (handlers.steps, quotas.OPERATIONS - 1),
    "branches": (handlers.overlapping, quotas.OPERATIONS // 2 - 1),
}
"""Handlers, and their size: the execution itself counts as one operation, the map as another, and a
branch with a step as two."""


def main(name: str) -> None:
    """Run the execution, and print the peak memory in MB."""
    sides.quietly()
    recording = sides.simulated(*EXECUTIONS[name])
    if recording.charged_operations != quotas.OPERATIONS:
        raise RuntimeError(
            f"{recording.charged_operations} operations were charged instead of {quotas.OPERATIONS}"
        )
    print(own_peak_memory_mb())


if __name__ == "__main__":
    main(*sys.argv[1:])
