"""Peak memory of an execution with as many operations as the quota allows."""

from __future__ import annotations

from bench import handlers, sides
from bench.measuring import own_peak_memory_mb
from dacapo.service import quotas

STEPS = quotas.OPERATIONS - 1
"""The execution itself counts as one operation."""


def main() -> None:
    """Run the execution, and print the peak memory in MB."""
    sides.quietly()
    recording = sides.simulated(handlers.steps, STEPS)
    if recording.charged_operations != quotas.OPERATIONS:
        raise RuntimeError(
            f"{recording.charged_operations} operations were charged instead of {quotas.OPERATIONS}"
        )
    print(own_peak_memory_mb())


if __name__ == "__main__":
    main()
