"""Write the README's comparison for a migration of six hours: `python -m compare.readme`."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

from compare import baselines, cells, durable, step_functions
from scenarios.worlds.migration import SIX_HOURS

PAGE = Path(__file__).parents[1] / "README.md"
BEGIN = "<!-- compared by tests/compare -->\n"
PAUSE = timedelta(minutes=15)


def table() -> str:
    """Run each approach for a migration of six hours, and return the figures as Markdown."""
    outcomes = [
        step_functions.poll(SIX_HOURS, PAUSE),
        step_functions.wait_for_token(SIX_HOURS),
        durable.poll_as_deployed(SIX_HOURS),
        durable.wait_for_callback(SIX_HOURS),
        baselines.poll(SIX_HOURS, PAUSE),
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
