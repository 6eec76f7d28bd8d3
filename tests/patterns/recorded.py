"""Recorded histories of the patterns: executions in flight that today's code has to continue.

`python -m tests.patterns.recorded` records them again. Do that only if no execution of the code
that recorded them can be in flight any more: a renamed or reordered operation breaks all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dacapo
from compare.patterns import SCENARIOS
from dacapo import Recording
from scenarios import versioned
from tests.patterns import versions

FOLDER = Path(__file__).with_name("histories")
FIRST_VERSION = FOLDER / "versioned"
"""Histories of `versioned` by the code that was deployed first."""
IN_FLIGHT = {
    "waits_for_release": timedelta(days=10),
    "waits_for_returns": timedelta(days=35),
}
"""When each of these executions is paused: on either side of what changed."""


def file_of(pattern: str) -> Path:
    """Return the file with the recorded history of a pattern's main scenario."""
    return FOLDER / f"{pattern}.json"


def first_version() -> Iterator[tuple[str, Recording]]:
    """Yield executions of the first version of `versioned`: two in flight, and one that ended."""
    ends = replace(versioned.settled, handler=versions.first)
    for name, moment in IN_FLIGHT.items():
        paused = (dacapo.pause(after=moment, reason="deployment"),)
        yield name, dacapo.run(replace(ends, external_events=paused, expects="RUNNING"))
    yield "settled", dacapo.run(ends)


def main() -> None:
    """Record the main scenario of each pattern, and executions of the version before."""
    logging.disable(logging.CRITICAL)
    FOLDER.mkdir(exist_ok=True)
    for pattern, scenario in SCENARIOS.items():
        dacapo.run(scenario).save(file_of(pattern))
    FIRST_VERSION.mkdir(exist_ok=True)
    for name, recording in first_version():
        recording.save(FIRST_VERSION / f"{name}.json")


if __name__ == "__main__":
    main()
