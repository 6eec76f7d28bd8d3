"""Standard output is for the result alone; what a handler prints goes to stderr."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import click
from rich.console import Console

from dacapo.cli.exit_status import ExitStatus
from dacapo.process.source_lines import Place
from dacapo.report import github, junit, sarif
from dacapo.report.outcome import Outcome

REPORTS: Mapping[str, Callable[[Outcome], str]] = {
    "junit": junit.dumps,
    "sarif": sarif.dumps,
    "github": github.dumps,
}
"""Formats for other programs, of commands that have an outcome."""
PLAIN = ("text", "json")
"""Formats of every command."""
Forms = Mapping[str, Path | None]
"""The formats to write, each to a file, or to standard output if it has none."""
SCHEMA = 1
"""Version of what `--format json` prints; it changes if a member changes its meaning or goes."""
_STDOUT, _STDERR = 1, 2


class Unwritable(click.ClickException):
    """A report can't be written: one line, exit status 2."""

    exit_code = ExitStatus.MISTAKE.value


def reserve() -> IO[str]:
    """Keep standard output for the result, and return it; all else goes to stderr from now on.

    That holds for file descriptor 1 as well, which C code, subprocesses and `os.write` use, and for
    what holds on to `sys.stdout` because it was imported after this.
    """
    sys.stdout.flush()
    result: IO[str] = sys.stdout
    with suppress(io.UnsupportedOperation, OSError, ValueError):
        if sys.stdout.fileno() == _STDOUT:
            encoding = sys.stdout.encoding
            result = os.fdopen(os.dup(_STDOUT), "w", encoding=encoding, errors="replace")
        os.dup2(_STDERR, _STDOUT)
    sys.stdout = sys.stderr
    return result


def write(
    result: IO[str],
    forms: Forms,
    as_json: Any,
    show: Callable[[Console], None],
    outcome: Callable[[], Outcome] | None = None,
) -> None:
    """Write the result of a command; a reader that has left (`| head`) is not an error.

    Parameters:
        result: standard output, see `reserve`.
        forms: formats of `PLAIN`, and of `REPORTS` if there is an outcome.
        as_json: the result as JSON values.
        show: prints it for people.
        outcome: makes what `REPORTS` print; None for a command that lacks them.
    """

    def text_of(form: str, file: IO[str] | None) -> str:
        if form == "json":
            return json.dumps({"schema": SCHEMA, **as_json}, indent=1) + "\n"
        if form in REPORTS and outcome is not None:
            return REPORTS[form](outcome())
        text = io.StringIO()
        show(_console(text, file))
        return text.getvalue()

    for form, file in forms.items():
        if file is None:
            _print(result, text_of(form, result))
        else:
            _save(file, text_of(form, None))


def _save(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise Unwritable(f"--format: {file} can't be written: {error.strerror}") from error


def _print(result: IO[str], text: str) -> None:
    try:
        result.write(text)
        result.flush()
    except BrokenPipeError:
        # The interpreter would try to flush it again, and complain.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), result.fileno())


def _console(text: IO[str], result: IO[str] | None) -> Console:
    """Return a console that prints into a buffer what it would print into a file; None for any."""
    if result is None:
        return Console(file=text, color_system=None)
    real = Console(file=result)
    return Console(
        file=text,
        force_terminal=real.is_terminal,
        color_system=real.color_system,  # type: ignore[arg-type] # rich returns what it takes
        width=real.width,
        legacy_windows=False,
    )


def file_and_line(place: Place | None) -> dict[str, Any]:
    """Return a place as members of a JSON object, its path relative to the working directory."""
    return {"file": place and relative(place.file), "line": place and place.line}


def relative(file: str) -> str:
    """Return a path relative to the working directory, in any case, as POSIX writes it."""
    return Path(os.path.relpath(file)).as_posix()
