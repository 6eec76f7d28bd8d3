"""`make compare`: run every approach, print the tables, and write the page."""

from __future__ import annotations

import logging
from pathlib import Path

from rich.console import Console
from rich.text import Text

from compare import cells, everything, page, terminal
from compare.outcome import LENGTHS

PAGE = Path("build/compare.html")
INTRODUCTION = (
    "Three ways to wait for a database migration: a state machine, a durable function, and a "
    "scheduled function. Each of them runs here for real, which takes about a minute."
)


def main() -> None:
    """Run the comparison and show the results."""
    logging.disable(logging.CRITICAL)
    console = Console(highlight=False)
    console.print(Text(INTRODUCTION))
    outcomes = {}
    for name, length in LENGTHS.items():
        outcomes[name] = list(everything.outcomes(length))
        terminal.show(console, cells.TITLE.format(name), cells.HEAD, cells.rows(outcomes[name]))
    limits = list(everything.limits())
    terminal.show(console, cells.LIMIT_TITLE, cells.LIMIT_HEAD, map(cells.limit_row, limits))
    terminal.show_small_print(console)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page.render(outcomes, limits))
    console.print(Text(f"\nThe same tables, with plots: {PAGE}"))


if __name__ == "__main__":
    main()
