"""Write what each pattern costs, and the table of patterns: `python -m compare.patterns`.

The figures come from a run of each pattern's main scenario. Everything else in the README's table
is in the README of the pattern's folder, which can be copied without the rest of this repository.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import dacapo
from compare import cells
from dacapo import Scenario, metering
from scenarios import (
    approval,
    batch_import,
    event_callback,
    fan_out,
    polling,
    schedule,
    versioned,
    webhook_callback,
    workflow,
)

ROOT = Path(__file__).parents[1]
BEGIN = "<!-- written by python -m compare.patterns -->\n"
HEAD = ("pattern", "waits for", "outlasts", "operations", "$/1,000 runs", "lines")
SCENARIOS: dict[str, Scenario] = {
    "polling": polling.finishes,
    "event_callback": event_callback.event_on_time,
    "webhook_callback": webhook_callback.answered,
    "approval": approval.accepted,
    "batch_import": batch_import.finishes,
    "fan_out": fan_out.all_are_notified,
    "schedule": schedule.friday_becomes_saturday,
    "workflow": workflow.shipped,
    "versioned": versioned.settled,
}
"""The main scenario of each pattern: its README says what happens in it."""


@dataclass(frozen=True)
class Cost:
    """Lambda's charges for one run.

    Parameters:
        operations: durable operations.
        invocations: of the durable function, and of the functions that start it, answer it, or are
            invoked by it.
        bytes_written: bytes that the durable service stores.
    """

    operations: int
    invocations: int
    bytes_written: int

    @property
    def dollars_per_thousand(self) -> float:
        """US dollars for a thousand runs, without tables, mail, and other services."""
        bill = metering.bill(
            operations=self.operations,
            bytes_written=self.bytes_written,
            invocations=self.invocations,
        )
        return bill.dollars * 1_000

    def __str__(self) -> str:
        """Return the line for a pattern's own README."""
        return (
            f"- **Costs** ${self.dollars_per_thousand:.2f} per 1,000 runs: {self.operations} "
            f"operations, {self.invocations} invocations, {cells.size(self.bytes_written)} each."
        )


@cache
def cost_of(pattern: str) -> Cost:
    """Run a pattern's main scenario, and return what it cost."""
    recording = dacapo.run(SCENARIOS[pattern])
    return Cost(
        recording.charged_operations,
        len(recording.invocations) + len(recording.calls),
        recording.bytes_written,
    )


def page_of(pattern: str) -> Path:
    """Return the README of a pattern's folder."""
    return ROOT / "src/patterns" / pattern / "README.md"


def costs_line(pattern: str) -> str:
    """Return the line about costs that a pattern's README has now."""
    (line,) = re.findall(r"^- \*\*Costs\*\*.*$", page_of(pattern).read_text(), re.MULTILINE)
    return str(line)


def table() -> str:
    """Return the table of all patterns as Markdown."""
    lines = [HEAD, ("---",) * len(HEAD), *(_row(pattern) for pattern in SCENARIOS)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def current() -> str:
    """Return the table as the project's README has it now."""
    return (ROOT / "README.md").read_text().partition(BEGIN)[2].partition("\n\n")[0]


def main() -> None:
    """Write the figures into the README of each pattern, and the table into the project's."""
    logging.disable(logging.CRITICAL)
    for pattern in SCENARIOS:
        page = page_of(pattern)
        page.write_text(page.read_text().replace(costs_line(pattern), str(cost_of(pattern))))
    readme = ROOT / "README.md"
    readme.write_text(readme.read_text().replace(BEGIN + current(), BEGIN + table()))


def _row(pattern: str) -> tuple[str, ...]:
    handler = f"src/patterns/{pattern}/handler.py"
    cost = cost_of(pattern)
    return (
        f"[{pattern}](src/patterns/{pattern})",
        _first_sentence(pattern, "Waits for"),
        _first_sentence(pattern, "Outlasts"),
        str(cost.operations),
        f"{cost.dollars_per_thousand:.2f}",
        f"[{len((ROOT / handler).read_text().splitlines())}]({handler})",
    )


def _first_sentence(pattern: str, title: str) -> str:
    """Return the first sentence of the item in a pattern's README that starts with a title."""
    text = " ".join(page_of(pattern).read_text().split())
    (sentence,) = re.findall(rf"- \*\*{title}\*\* (.+?)\.(?: |$)", text)
    return str(sentence)


if __name__ == "__main__":
    main()
