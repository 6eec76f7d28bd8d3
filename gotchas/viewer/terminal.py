"""A lesson in the terminal: the code of both handlers, and their invocations side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import zip_longest

from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from gotchas.viewer.lesson import Invocation, Lesson, Side

_AGAIN, _NEW = "↻", " "
_FIRST, _LAST = 3, 1
"""Number of invocations to show from either end if there are too many to show all."""
_STYLES = {"SUCCEEDED": "green", "FAILED": "red", "TIMED_OUT": "red"}
"""Style of an outcome by its first word."""


def show_all(titles: Mapping[str, str], console: Console) -> None:
    """Print the names and titles of all gotchas.

    Parameters:
        titles: the title of each gotcha by its name.
    """
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    for name, title in titles.items():
        table.add_row(Text(name, "bold"), Text(title))
    console.print(table)
    console.print(Text("\npython -m gotchas NAME shows one of them."))


def show(lesson: Lesson, console: Console) -> None:
    """Print a lesson: the rule, both handlers, how they run, and how to find the mistake."""
    console.print(Text(f"{lesson.name}\n", "bold"))
    console.print(Text(lesson.title, "bold"))
    console.print(Text(f"\n{' '.join(lesson.rule.split())}\n"))
    for name, side in (("broken", lesson.broken), ("fixed", lesson.fixed)):
        console.print(Rule(Text(name, _style(name)), align="left", style="dim"))
        console.print(Syntax(side.code, "python", background_color="default", word_wrap=True))
    console.print(Rule("every invocation", align="left", style="dim"))
    console.print(traces(lesson, console.width))
    console.print(Text(f"\n{_AGAIN} marks lines that an earlier invocation already ran.", "dim"))
    console.print(Text(f"\nA run shows: {lesson.shows}.\n"))
    for command, purpose in (
        (f"dacapo verify {lesson.target}", f"reports {lesson.finding}"),
        (f"dacapo explain {lesson.finding}", "shows the rule and the fix"),
    ):
        console.print(Text(f"$ {command}", "bold"), soft_wrap=True)
        console.print(Text(f"  {purpose}"))


def traces(lesson: Lesson, width: int) -> RenderableType:
    """Return the invocations of both handlers, side by side.

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


def _trace(side: Side) -> Iterator[Text]:
    seen: set[int] = set()
    count = len(side.invocations)
    for number, invocation in enumerate(side.invocations, start=1):
        if number <= _FIRST or number > count - _LAST:
            yield from _lines(number, invocation, seen, side)
        elif number == _FIRST + 1:
            yield Text(f"… {count - _FIRST - _LAST} more", "dim")
        seen.update(invocation.lines)


def _lines(number: int, invocation: Invocation, seen: set[int], side: Side) -> Iterator[Text]:
    yield Text(f"invocation {number}, {invocation.started:%-d %b %H:%M}", "bold")
    if not invocation.lines:
        yield Text("  the handler is not called", "dim")
    for line, count in Counter(invocation.lines).items():
        mark, style = (_AGAIN, "yellow") if line in seen else (_NEW, "")
        times = f"{count:,} × " if count > 1 else ""
        yield Text(f"{mark} {line:>3} {times}{side.source(line)}", style)
    outcome = invocation.outcome
    yield Text(f"→ {outcome}", _STYLES.get(outcome.partition(" ")[0], "dim"))
    yield Text()
