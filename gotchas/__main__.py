"""`python -m gotchas [NAME]`: show a handler that breaks on replay, beside one that doesn't."""

from __future__ import annotations

import logging

import click
from rich.console import Console

from gotchas import GOTCHAS
from gotchas.viewer import lesson, terminal


@click.command()
@click.argument("name", required=False)
def main(name: str | None) -> None:
    """Show the gotcha NAME: both handlers, and how each runs. Without NAME, list all gotchas."""
    logging.disable(logging.CRITICAL)  # the SDK logs the failures of the broken handlers
    console = Console()
    if name is None:
        terminal.show_all(lesson.titles(), console)
    elif name in GOTCHAS:
        terminal.show(lesson.lesson(name), console)
    else:
        raise click.UsageError(f"there is no gotcha {name!r}; there are: {', '.join(GOTCHAS)}")


if __name__ == "__main__":
    main(prog_name="python -m gotchas")
