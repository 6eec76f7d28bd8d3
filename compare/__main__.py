"""`make compare`: run every approach, print the answer and the tables, and write the page."""

from __future__ import annotations

import logging
from pathlib import Path

from rich.console import Console
from rich.text import Text

from compare import answer, cells, everything, page, terminal
from compare.outcome import LENGTHS, Outcome

PAGE = Path("build/compare.html")
INTRODUCTION = (
    "Three ways to wait for a database migration: a state machine, a durable function, and a "
    "scheduled function. Each of them runs here for real, which takes a minute or two."
)


def main() -> None:
    """Run the comparison and show the results."""
    logging.disable(logging.CRITICAL)
    console = Console(highlight=False)
    console.print(Text(INTRODUCTION))
    outcomes: dict[str, list[Outcome]] = {}
    for name, length in LENGTHS.items():
        of_it = outcomes[name] = list(everything.outcomes(length))
        if len(outcomes) == 1:
            terminal.show_answer(console, answer.headline(of_it, name), answer.lead(of_it, name))
        terminal.show(console, cells.TITLE.format(name), cells.HEAD, cells.rows(of_it))
        if len(outcomes) == 1:
            terminal.show_texts(console, "Why pay more than the cheapest?", answer.why(of_it))
    limits = list(everything.limits())
    terminal.show(console, cells.LIMIT_TITLE, cells.LIMIT_HEAD, map(cells.limit_row, limits))
    terminal.show_texts(console, "How to read the tables", [cells.LEGEND, cells.FORMULA])
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page.render(outcomes, limits, list(everything.series())), encoding="utf-8")
    console.print(Text(f"\nThe same, with charts: {PAGE}"))


if __name__ == "__main__":
    main()
