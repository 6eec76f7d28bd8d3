"""A case: a scenario, and the verdict that is right for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aws_durable_execution_sdk_python.config import Duration, StepConfig
from aws_durable_execution_sdk_python.retries import RetryPresets

from dacapo import Scenario

HERE = Path(__file__).parent

MINUTE, HOUR, DAY = Duration.from_minutes(1), Duration.from_hours(1), Duration.from_days(1)
ONCE = StepConfig(retry_strategy=RetryPresets.none())

DIFFERS = frozenset(
    {
        *("different-operation", "different-body", "different-wait", "different-invoke"),
        *("different-callback", "different-result", "different-effects"),
    }
)
"""Codes of two runs that must agree and do not."""
PROCESS = frozenset(
    {"process-state", "different-operation", "different-result", "different-effects"}
)
"""Codes of state in a process or on its disk."""
ORDER = frozenset({"order-outside-step", "different-operation", "process-state"})
"""Codes of an order that differs between processes."""

Certainty = Literal["proved", "suspected", "lint"]
Sort = Literal["bad", "correct", "control"]

_MARK = re.compile(r"# <- cause of (\w+)$")


@dataclass(frozen=True)
class Case:
    """A scenario and its right verdict.

    Parameters:
        kind: the kind of mistake, or of what only looks like one; a row of docs/verify.md.
        sort: `control` for a scenario that shows nothing about its handler, because two equal runs
            of it differ already.
        codes: for a bad handler, the codes that the first finding may have.
        certainty: for a bad handler, the certainty of that finding.
        may_be_suspected: for a correct handler, the codes that a suspicion may have.
    """

    scenario: Scenario
    kind: str
    sort: Sort
    codes: frozenset[str] = frozenset()
    certainty: Certainty = "proved"
    may_be_suspected: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name of the case, unique in the corpus."""
        return self.scenario.name or self.scenario.function

    @property
    def is_bad(self) -> bool:
        """True if the handler has a mistake."""
        return self.sort == "bad"

    @property
    def exit_status(self) -> int:
        """The exit status of `dacapo verify` for this case."""
        if self.sort == "control":
            return 3
        return int(self.is_bad and self.certainty == "proved")

    def __str__(self) -> str:
        return self.name


def bad(scenario: Scenario, kind: str, *codes: str, certainty: Certainty = "proved") -> Case:
    """Return the case of a handler with a mistake."""
    return Case(scenario, kind, "bad", frozenset(codes), certainty)


def correct(scenario: Scenario, kind: str, *may_be_suspected: str) -> Case:
    """Return the case of a handler without a mistake."""
    return Case(scenario, kind, "correct", may_be_suspected=frozenset(may_be_suspected))


def control(scenario: Scenario, kind: str) -> Case:
    """Return the case of a scenario of which two equal runs differ."""
    return Case(scenario, kind, "control")


def causes(name: str) -> frozenset[tuple[str, int]]:
    """Return the lines (file, number) that end in `# <- cause of NAME`."""
    return frozenset(place for marked, place in _marks() if marked == name)


def marked_names() -> set[str]:
    """Return the names of the cases that any line is marked as the cause of."""
    return {name for name, _ in _marks()}


def _marks() -> Iterator[tuple[str, tuple[str, int]]]:
    for file in sorted(HERE.rglob("*.py")):
        if file.name != Path(__file__).name:
            for number, line in enumerate(file.read_text().splitlines(), 1):
                if match := _MARK.search(line):
                    yield match[1], (str(file), number)
