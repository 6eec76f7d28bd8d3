"""docs/gotchas.md, made from the gotchas and from runs of them: `python -m tools.gotchas`."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

from rich.console import Console

from dacapo.lesson import Lesson, lesson
from dacapo.report import lessons
from dacapo.verify.advice import ADVICE
from dacapo.verify.experiments import MOVED
from dacapo.verify.findings import Finding
from dacapo.verify.verifier import verify
from gotchas import GOTCHAS
from gotchas.verdicts import VERDICTS

PAGE = Path(__file__).parents[1] / "docs" / "gotchas.md"
WIDTH = 100
_FOUND = re.compile(r"^\| `dacapo verify` \| `(?P<code>.+?)`: (?P<message>.+) \|$", re.MULTILINE)
_INTRODUCTION = """\
# Replay gotchas

What goes wrong in durable functions when they are replayed: each with a handler that is broken, the
same handler mended, and how the body of both runs again. In a checkout, `dacapo lesson NAME` shows
one in the terminal, and `dacapo verify gotchas/NAME.py:breaks` finds it.

This page is made by `python -m tools.gotchas` from the files in [gotchas/](../gotchas) and from
runs of them; the tests make it again. *dacapo run* is a plain run on the simulated service, *AWS's
runner* one on the official `DurableFunctionTestRunner`: a handler that succeeds there is one that a
quick test does not notice. In the traces, ↻ is a line that an earlier run of the body has run
already. [What is found](#by-finding), by its code, is at the end.
"""


def main() -> None:
    """Run all gotchas and write the page."""
    logging.disable(logging.CRITICAL)
    PAGE.write_text(page({name: found_in(name) for name in GOTCHAS}))


def found_in(name: str) -> str:
    """What the verifier finds in a broken handler, as the page says it."""
    (finding,) = verify(import_module(f"gotchas.{name}").breaks).findings
    return as_told(finding)


def as_told(finding: Finding) -> str:
    """A finding in a line of the page."""
    place = f" (`{finding.place}`)" if finding.place else ""
    message = finding.message.replace("|", "\\|")
    if finding.experiment == MOVED:
        message = "replayed in another process, the body comes out differently"  # and how is chance
    return f"`{finding.code}`: {message}{place}"


def told_in(text: str) -> dict[str, str]:
    """What a page says that the verifier finds, gotcha by gotcha."""
    found = (f"`{match['code']}`: {match['message']}" for match in _FOUND.finditer(text))
    return dict(zip(GOTCHAS, found, strict=True))


def page(found: Mapping[str, str]) -> str:
    """The page.

    Parameters:
        found: what the verifier finds in each gotcha.
    """
    told = [lesson(name) for name in GOTCHAS]
    parts = [_INTRODUCTION, "## All of them\n", *_contents(told), ""]
    for one in told:
        parts += _section(one, found[one.name])
    parts += ["## By finding\n", *_by_finding(told)]
    return "\n".join(parts)


def _contents(told: list[Lesson]) -> Iterator[str]:
    for one in told:
        yield f"- [{one.name}](#{one.name}): {_line(one.title)}"


def _section(one: Lesson, found: str) -> Iterator[str]:
    verdict = VERDICTS[one.name]
    yield f"## {one.name}\n"
    yield f"**{_line(one.title)}**\n"
    yield f"{one.rule}\n"
    for name, side in (("Broken", one.broken), ("Fixed", one.fixed)):
        yield f"{name}:\n\n```python\n{side.code.rstrip()}\n```\n"
    yield f"A run shows: {one.shows}.\n"
    yield f"```text\n{_traces(one)}```\n"
    yield "| broken | |\n|---|---|"
    yield f"| `dacapo verify` | {found} |"
    yield f"| `dacapo run` | {_ending(verdict.dacapo, verdict.wrong_on_dacapo)} |"
    yield f"| AWS's runner | {_ending(verdict.official, verdict.wrong_on_official)} |\n"


def _traces(one: Lesson) -> str:
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, legacy_windows=False)
    console.print(lessons.traces(one, WIDTH))
    text = console.file.getvalue() if isinstance(console.file, io.StringIO) else ""
    return "".join(f"{line.rstrip()}\n" for line in text.rstrip().splitlines())


def _ending(status: str | None, is_wrong: bool) -> str:
    if status is None:
        return "can't run it in virtual time"
    return f"{status}, and what it did is wrong" if is_wrong else status


def _by_finding(told: list[Lesson]) -> Iterator[str]:
    for code, advice in ADVICE.items():
        gotchas = ", ".join(f"[{o.name}](#{o.name})" for o in told if o.finding == code)
        yield f"### {code}\n"
        yield f"{advice.rule} {advice.fix}" + (f" See {gotchas}." if gotchas else "") + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main()
