"""Write the README's comparison for 24 hours: `python -m compare.readme`."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

from compare import baselines, cells, durable, step_functions
from compare.outcome import LENGTHS

PAGE = Path(__file__).parents[1] / "README.md"
BEGIN = "<!-- compared by tests/compare -->\n"
LENGTH, PAUSE = LENGTHS["24 hours"], timedelta(minutes=15)


def table() -> str:
    """Run each approach for a migration of 24 hours, and return the figures as Markdown."""
    outcomes = [
        step_functions.poll(LENGTH, PAUSE),
        step_functions.wait_for_token(LENGTH),
        durable.poll(LENGTH, PAUSE),
        durable.wait_for_callback(LENGTH),
        baselines.poll(LENGTH, PAUSE),
    ]
    lines = [cells.HEAD, ("---",) * len(cells.HEAD), *cells.rows(outcomes)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def current() -> str:
    """Return the table as the page has it now."""
    return PAGE.read_text().partition(BEGIN)[2].partition("\n\n")[0]


def main() -> None:
    """Write the table into the page."""
    logging.disable(logging.CRITICAL)
    PAGE.write_text(PAGE.read_text().replace(BEGIN + current(), BEGIN + table()))


if __name__ == "__main__":
    main()
