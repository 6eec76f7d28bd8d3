"""What a failed test shows of the executions that it ran: their timelines, and a page for each."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from dacapo.errors import DacapoError
from dacapo.history.recording import Recording
from dacapo.report import terminal
from dacapo.report.page.build import execution_of, page_from
from dacapo.report.page.html import html_of
from dacapo.report.page.passes import Watched, watch
from dacapo.testing.fixture import Ran

MOST = 3
"""Executions of one test that are shown: the last ones, because a test fails at one of these."""
_WIDTH = 100
_LONGEST_NAME = 120
_NOT_OF_A_NAME = re.compile(r"[^\w.]+")


def timelines(ran: Sequence[Ran]) -> str:
    """Return the timelines of the executions that a test ran, as text."""
    text = io.StringIO()
    console = Console(file=text, width=_WIDTH, force_terminal=False)
    for one in _shown(ran):
        terminal.show(one, console)
        console.print()
    return text.getvalue()


def write_pages(folder: Path, test: str, ran: Sequence[Ran]) -> list[Path]:
    """Write a page for each execution that a test ran; return the files.

    Parameters:
        folder: where to; it is made if it does not exist.
        test: the test's ID.
        ran: what it ran; the simulator runs it again, to watch its lines.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = _NOT_OF_A_NAME.sub("-", test).strip("-")[-_LONGEST_NAME:]
    written = []
    for number, one in enumerate(ran[-MOST:]):
        watched = _watched(one)
        if watched is not None:
            suffix = f"-{number + 1}" if number else ""
            path = folder / f"{name}{suffix}.html"
            path.write_text(html_of(page_from([execution_of(watched)])), encoding="utf-8")
            written.append(path)
    return written


def _shown(ran: Sequence[Ran]) -> Iterator[Recording]:
    yield from (one.recording for one in ran[-MOST:] if one.recording is not None)


def _watched(ran: Ran) -> Watched | None:
    try:
        return watch(ran.scenario, seed=ran.seed)
    except DacapoError:
        return Watched(ran.recording) if ran.recording else None
