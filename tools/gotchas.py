"""Write docs/gotchas.md from the gotchas and from runs of them: `python -m tools.gotchas`."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

from rich.console import Console

import dacapo
from dacapo import Code, Finding, Report
from dacapo.verify.rules import rules
from gotchas import GOTCHAS
from gotchas.verdicts import VERDICTS
from gotchas.viewer import terminal
from gotchas.viewer.lesson import Lesson, lesson

PAGE = Path(__file__).parents[1] / "docs" / "gotchas.md"
WIDTH = 100
_FINDING = re.compile(r"^\| `dacapo verify` \| `(?P<code>.+?)`: (?P<message>.+) \|$", re.MULTILINE)
_INTRODUCTION = """\
# Replay gotchas

Common mistakes in durable functions that show only on replay. Each comes with a broken handler, the
fixed one, and a trace of every invocation of both. In a checkout, `python -m gotchas NAME` shows a
gotcha in the terminal, and `dacapo verify gotchas/NAME.py:breaks` finds it.

`python -m tools.gotchas` writes this page from the files in [gotchas/](../gotchas) and from runs of
them; a test compares the two. *dacapo run* is a plain run on the simulated service, *AWS's runner*
one on the official `DurableFunctionTestRunner`. If a broken handler succeeds there, a quick test
won't notice the mistake. In the traces, ↻ marks lines that an earlier invocation already ran.
[All findings](#by-finding) are at the end, by their code; `dacapo explain CODE` explains one.
"""


def main() -> None:
    """Verify all gotchas, and write the page."""
    logging.disable(logging.CRITICAL)
    PAGE.write_text(page({name: finding_in(name) for name in GOTCHAS}))


def finding_in(name: str) -> str:
    """Verify a broken handler, and return its only finding as a line of the page."""
    (finding,) = besides_sends(dacapo.verify(import_module(f"gotchas.{name}").breaks))
    return as_line(finding)


def besides_sends(report: Report) -> list[Finding]:
    """Return the findings of a report, without the lint about what a crash sends again.

    The outbox of the shop is a queue without keys, so every handler that sends has it.
    """
    return [finding for finding in report.findings if finding.code is not Code.EFFECT_MAY_REPEAT]


def as_line(finding: Finding) -> str:
    """Return a finding as a line of the page."""
    place = f" (`{finding.place}`)" if finding.place else ""
    message = finding.message.replace("|", "\\|")
    return f"`{finding.code}`: {message}{place}"


def findings_on(text: str) -> dict[str, str]:
    """Return the findings that a page quotes, by gotcha.

    Parameters:
        text: the page.
    """
    findings = (f"`{match['code']}`: {match['message']}" for match in _FINDING.finditer(text))
    return dict(zip(GOTCHAS, findings, strict=True))


def page(findings: Mapping[str, str]) -> str:
    """Return the page.

    Parameters:
        findings: the finding for each gotcha, as a line.
    """
    lessons = [lesson(name) for name in GOTCHAS]
    parts = [_INTRODUCTION, "## All gotchas\n", *_contents(lessons), ""]
    for each in lessons:
        parts += _section(each, findings[each.name])
    parts += ["## By finding\n", *_by_finding(lessons)]
    return "\n".join(parts)


def _contents(lessons: list[Lesson]) -> Iterator[str]:
    for each in lessons:
        yield f"- [{each.name}](#{each.name}): {each.title}"


def _section(one: Lesson, finding: str) -> Iterator[str]:
    verdict = VERDICTS[one.name]
    yield f"## {one.name}\n"
    yield f"**{one.title}**\n"
    yield f"{one.rule}\n"
    for name, side in (("Broken", one.broken), ("Fixed", one.fixed)):
        yield f"{name}:\n\n```python\n{side.code.rstrip()}\n```\n"
    yield f"A run shows: {one.shows}.\n"
    yield f"```text\n{_traces(one)}```\n"
    yield "| broken | |\n|---|---|"
    yield f"| `dacapo verify` | {finding} |"
    yield f"| `dacapo run` | {_outcome(verdict.dacapo, verdict.wrong_on_dacapo)} |"
    yield f"| AWS's runner | {_outcome(verdict.official, verdict.wrong_on_official)} |\n"


def _traces(one: Lesson) -> str:
    output = io.StringIO()
    console = Console(file=output, width=WIDTH, color_system=None, legacy_windows=False)
    console.print(terminal.traces(one, WIDTH))
    return "".join(f"{line.rstrip()}\n" for line in output.getvalue().rstrip().splitlines())


def _outcome(status: str | None, is_wrong: bool) -> str:
    if status is None:
        return "can't run it in virtual time"
    return f"{status}, but with the wrong side effects or result" if is_wrong else status


def _by_finding(lessons: list[Lesson]) -> Iterator[str]:
    for code, rule in rules().items():
        links = ", ".join(f"[{one.name}](#{one.name})" for one in lessons if one.finding == code)
        yield f"### {code}\n"
        yield f"{rule.rule} {rule.fix}" + (f" See {links}." if links else "") + "\n"


if __name__ == "__main__":
    main()
