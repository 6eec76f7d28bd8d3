"""A lesson in the terminal: broken and fixed side by side, and each run of the body."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import zip_longest

from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from dacapo.lesson import Lesson, Side
from dacapo.passes import Pass
from dacapo.service.execution import Invocation

_AGAIN, _NEW = "↻", " "
_FIRST, _LAST = 3, 1
"""Runs of the body that are shown at either end, if there are too many to show them all."""


def show_all(titles: Mapping[str, str], console: Console) -> None:
    """Print which lessons there are."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    for name, title in titles.items():
        table.add_row(Text(name, "bold"), Text(" ".join(title.split())))
    console.print(table)
    console.print("\ndacapo lesson NAME shows one")


def show(lesson: Lesson, console: Console) -> None:
    """Print a lesson: the rule, the code, how both bodies run, and who finds it out."""
    console.print(Text(f"{lesson.name}\n", "bold"))
    console.print(Text(" ".join(lesson.title.split()), "bold"))
    console.print(Text(f"\n{' '.join(lesson.rule.split())}\n"))
    for name, side in (("broken", lesson.broken), ("fixed", lesson.fixed)):
        console.print(Rule(Text(name, _style(name)), align="left", style="dim"))
        console.print(Syntax(side.code, "python", background_color="default", word_wrap=True))
    console.print(Rule("how the body runs", align="left", style="dim"))
    console.print(traces(lesson, console.width))
    console.print(Text(f"\nA run shows: {lesson.shows}."))
    console.print(f"dacapo verify {lesson.scenario} finds: {lesson.finding}", soft_wrap=True)


def traces(lesson: Lesson, width: int) -> RenderableType:
    """How the two bodies run, one beside the other.

    Parameters:
        width: columns of the terminal.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 1), width=width)
    for name in ("broken", "fixed"):
        table.add_column(Text(name, _style(name)), ratio=1, no_wrap=True, overflow="ellipsis")
    for row in zip_longest(_trace(lesson.broken), _trace(lesson.fixed), fillvalue=Text()):
        table.add_row(*row)
    return table


def _style(name: str) -> str:
    return "bold red" if name == "broken" else "bold green"


def _trace(side: Side) -> list[Text]:
    shown: list[Text] = []
    ran: set[int] = set()
    runs = list(zip(side.passes, side.recording.invocations, strict=False))
    for number, (one, invocation) in enumerate(runs, start=1):
        if _FIRST < number <= len(runs) - _LAST:
            left_out = len(runs) - _FIRST - _LAST
            shown += [Text(f"… {left_out} more", "dim")] if number == _FIRST + 1 else []
            continue
        shown += _run(number, one, invocation, ran, side)
        ran.update(one.lines)
    return shown


def _run(number: int, one: Pass, invocation: Invocation, ran: set[int], side: Side) -> list[Text]:
    lines = [Text(f"run {number} of the body, {one.started:%-d %b %H:%M}", "bold")]
    for line, count in Counter(one.lines).items():
        is_again = line in ran
        mark, style = (_AGAIN, "yellow") if is_again else (_NEW, "")
        times = f"{count:,} × " if count > 1 else ""
        lines.append(Text(f"{mark} {line:>3} {times}{side.source(line).strip()}", style))
    return [*lines, _end(invocation, side), Text()]


def _end(invocation: Invocation, side: Side) -> Text:
    recording, status = side.recording, invocation.status
    if status == "SUCCEEDED":
        return Text(f"→ SUCCEEDED {recording.output}", "green")
    if status == "FAILED" and recording.error:
        kind = (recording.error.type or "").rpartition(".")[2]
        return Text(f"→ FAILED {kind}", "red")
    return Text("→ suspended" if status == "PENDING" else f"→ {status}", "dim")
