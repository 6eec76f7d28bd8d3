"""The comparison in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text


def show_answer(console: Console, headline: str, lead: str) -> None:
    """Print the answer, before everything that supports it."""
    console.print(Text(f"\n{headline}", "bold"))
    console.print(Text(lead))


def show(console: Console, title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print one table, with its title."""
    _show_title(console, title)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    for number, heading in enumerate(head):
        table.add_column(heading, justify="left" if number == 0 else "right")
    last = ""
    for row in rows:
        # Print the name once, on the first of its lines.
        table.add_row("" if row[0] == last else row[0], *row[1:])
        last = row[0]
    console.print(table)


def show_texts(console: Console, title: str, texts: Sequence[str]) -> None:
    """Print paragraphs, with their title."""
    _show_title(console, title)
    console.print(Text("\n\n".join(texts)))


def _show_title(console: Console, title: str) -> None:
    console.print()
    console.rule(Text(title, "bold"), align="left", style="default")
    console.print()
