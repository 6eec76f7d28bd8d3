"""`make compare`: runs every way of waiting, prints the tables, and writes the page."""

from __future__ import annotations

import logging
from pathlib import Path

from rich.console import Console
from rich.text import Text

from compare import cells, everything, page, terminal
from compare.outcome import LENGTHS

PAGE = Path("build/compare.html")
INTRODUCTION = (
    "A database migration is waited for: by a state machine, by a durable function, and by a "
    "function on a schedule. Each of them really runs here; this takes about a minute."
)


def main() -> None:
    """Compare, and show what came out."""
    logging.disable(logging.CRITICAL)
    console = Console(highlight=False)
    console.print(Text(INTRODUCTION))
    outcomes = {}
    for name, length in LENGTHS.items():
        outcomes[name] = list(everything.outcomes(length))
        terminal.show(console, f"A migration of {name}", cells.HEAD, cells.rows(outcomes[name]))
    walls = list(everything.walls())
    terminal.show(console, "Where a wait ends", cells.WALL_HEAD, map(cells.wall_row, walls))
    terminal.show_small_print(console)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page.render(outcomes, walls))
    console.print(Text(f"\nThe same with plots: {PAGE}"))


if __name__ == "__main__":
    main()
