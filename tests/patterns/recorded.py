"""Recorded histories of the patterns: executions in flight that today's code has to continue.

`python -m tests.patterns.recorded` records them again. Do that only if no execution of the code
that recorded them can be in flight any more: a renamed or reordered operation breaks all of them.
"""

from __future__ import annotations

import logging
from pathlib import Path

import dacapo
from compare.patterns import SCENARIOS

FOLDER = Path(__file__).with_name("histories")


def file_of(pattern: str) -> Path:
    """Return the file with the recorded history of a pattern's main scenario."""
    return FOLDER / f"{pattern}.json"


def main() -> None:
    """Record the main scenario of each pattern."""
    logging.disable(logging.CRITICAL)
    FOLDER.mkdir(exist_ok=True)
    for pattern, scenario in SCENARIOS.items():
        dacapo.run(scenario).save(file_of(pattern))


if __name__ == "__main__":
    main()
