"""As many operations as an execution may have, and the memory that it takes to run them."""

from __future__ import annotations

from bench import handlers, sides
from bench.measuring import own_peak_memory_mb
from dacapo.service import quotas

STEPS = quotas.OPERATIONS - 1
"""The execution itself is one of the operations that are counted."""


def main() -> None:
    """Run them and print the peak."""
    sides.quietly()
    recording = sides.simulated(handlers.steps, STEPS)
    if recording.charged_operations != quotas.OPERATIONS:
        raise RuntimeError(f"{recording.charged_operations} operations were charged")
    print(own_peak_memory_mb())


if __name__ == "__main__":
    main()
