"""`dacapo lesson [NAME]`: a gotcha, seen."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from dacapo import lesson as lessons
from dacapo.commands.options import Mistake, carefully, log_to_stderr
from dacapo.lesson import NoSuchLesson
from dacapo.report import lessons as report


@click.command()
@click.argument("name", required=False)
def lesson(name: str | None) -> None:
    """Show how a handler goes wrong when it is replayed: lesson NAME, or all of their names."""
    log_to_stderr(verbose=False)
    sys.path.insert(0, str(Path.cwd()))
    console = Console()
    try:
        if name is None:
            report.show_all(lessons.titles(), console)
        else:
            report.show(carefully(lambda: lessons.lesson(name)), console)
    except NoSuchLesson as error:
        raise Mistake(str(error)) from error
