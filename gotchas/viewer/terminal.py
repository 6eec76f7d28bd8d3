"""A lesson in the terminal: the code of both handlers, and their invocations side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from dacapo.report.source import lines_of, wrapped
from dacapo.report.text import BAD, GOOD, NOTICE, QUIET
from gotchas.viewer.lesson import Invocation, Lesson, Side

_AGAIN, _NEW = "↻", " "
_FIRST, _LAST = 3, 1
"""Number of invocations to show from either end if there are too many to show all."""
_STYLES = {"SUCCEEDED": GOOD, "FAILED": BAD, "TIMED_OUT": BAD}
"""Style of an outcome by its first word."""
_NUMBER_WIDTH = 5
"""Columns of a line's number, and of the space after it."""
_GAP = 2
"""Columns between the two sides."""


class _Line(NamedTuple):
    """A line of a trace: what stands before it, and its text."""

    head: str
    text: Text

    @property
    def width(self) -> int:
        return len(self.head) + len(self.text)

    def fitting(self, width: int) -> Iterator[Text]:
        """Yield the line in parts that fit."""
        for number, part in enumerate(wrapped(self.text, width - len(self.head))):
            head = " " * len(self.head) if number else self.head
            yield Text(head, self.text.style).append(part)


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
        console.print(Rule(Text(name, _style(name)), align="left", style=QUIET))
        console.print(Group(*_code(side, console.width)))
        console.print()
    console.print(Rule(Text("every invocation", "bold"), align="left", style=QUIET))
    console.print(traces(lesson, console.width))
    console.print(Text(f"\n{_AGAIN} marks lines that an earlier invocation already ran.", QUIET))
    console.print(Text(f"\nA run shows: {lesson.shows}.\n"))
    for command, purpose in (
        (f"dacapo verify {lesson.target}", f"reports {lesson.finding}"),
        (f"dacapo explain {lesson.finding}", "shows the rule and the fix"),
    ):
        console.print(Text(f"$ {command}", "bold"), soft_wrap=True)
        console.print(Text(f"  {purpose}"))


def traces(lesson: Lesson, width: int) -> RenderableType:
    """Return the invocations of both handlers, side by side, each beside that of its number.

    Parameters:
        width: columns of the terminal.
    """
    sides = [list(_trace(side)) for side in (lesson.broken, lesson.fixed)]
    needed = [max(line.width for part in parts for line in part) for parts in sides]
    widths = _shared(needed[0], needed[1], width - _GAP)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for name, columns in zip(("broken", "fixed"), widths, strict=True):
        table.add_column(Text(name, _style(name)), width=columns, no_wrap=True)
    for pair in zip_longest(*sides, fillvalue=()):
        fitting = (
            [part for line in lines for part in line.fitting(columns)]
            for lines, columns in zip(pair, widths, strict=True)
        )
        for row in zip_longest(*fitting, fillvalue=Text()):
            table.add_row(*row)
    return table


def _style(name: str) -> str:
    return f"bold {BAD if name == 'broken' else GOOD}"


def _code(side: Side, width: int) -> Iterator[Text]:
    """Yield the lines of a handler, with the numbers by which the traces name them."""
    for number, line in enumerate(lines_of(side.code), start=side.first_line):
        head = f"{number:>{_NUMBER_WIDTH - 2}}  "
        for part in wrapped(line, width - _NUMBER_WIDTH):
            yield Text.assemble((head, QUIET), part)
            head = " " * _NUMBER_WIDTH


def _shared(left: int, right: int, columns: int) -> tuple[int, int]:
    """Share columns between two sides: half each, and what one does not need to the other."""
    left_columns = min(left, max(columns // 2, columns - right))
    return left_columns, min(right, columns - left_columns)


def _trace(side: Side) -> Iterator[Sequence[_Line]]:
    """Yield the lines of each invocation that is shown."""
    seen: set[int] = set()
    count = len(side.invocations)
    for number, invocation in enumerate(side.invocations, start=1):
        if number <= _FIRST or number > count - _LAST:
            yield list(_lines(number, invocation, seen, side))
        elif number == _FIRST + 1:
            yield [_Line("", Text(f"… {count - _FIRST - _LAST} more", QUIET)), _Line("", Text())]
        seen.update(invocation.lines)


def _lines(number: int, invocation: Invocation, seen: set[int], side: Side) -> Iterator[_Line]:
    yield _Line("", Text(f"invocation {number}, {invocation.started:%-d %b %H:%M}", "bold"))
    if not invocation.lines:
        yield _Line("  ", Text("the handler is not called", QUIET))
    for line, count in invocation.lines.items():
        mark, style = (_AGAIN, NOTICE) if line in seen else (_NEW, "")
        times = f"{count:,} × " if count > 1 else ""
        yield _Line(f"{mark} {line:>3} ", _code_line(times, side.source(line), style))
    outcome = invocation.outcome
    yield _Line("→ ", Text(outcome, _STYLES.get(outcome.partition(" ")[0], QUIET)))
    yield _Line("", Text())


def _code_line(times: str, source: str, style: str) -> Text:
    """Return a line of code with how often it ran, which stands behind its indentation."""
    code = source.lstrip()
    return Text(f"{' ' * (len(source) - len(code))}{times}{code}", style)
