"""The comparison in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from compare import cells


def show(console: Console, title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print one table, with its title."""
    console.print()
    console.rule(Text(title, "bold cyan"), align="left", style="cyan")
    console.print()
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    for number, heading in enumerate(head):
        table.add_column(heading, justify="left" if number == 0 else "right")
    last = ""
    for row in rows:
        # Print the name once, on the first of its lines.
        table.add_row("" if row[0] == last else row[0], *row[1:])
        last = row[0]
    console.print(table)


def show_small_print(console: Console) -> None:
    """Print the legend, and how the calculated figures are derived."""
    for text in (cells.LEGEND, cells.FORMULA):
        console.print()
        console.print(Text(text, "dim"))
