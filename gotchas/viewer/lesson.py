"""A gotcha as a lesson: the code of both handlers, and a trace of every invocation of each."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from types import ModuleType

from dacapo import Recording, Scenario
from dacapo.report.page.model import Block
from dacapo.report.page.passes import Watched, watch
from gotchas import GOTCHAS
from gotchas.verdicts import VERDICTS

SUSPENDED = "suspended"
NEVER_RESUMED = "suspended, and never resumed"

_COMMENT = re.compile(r"  # .*")
_INDENTATION = " " * 4
_OPENED, _CLOSED = re.compile(r"([(\[{]) "), re.compile(r",? ([)\]}])")


@dataclass(frozen=True)
class Invocation:
    """One invocation of a handler: the body, run from the top.

    Parameters:
        started: when it started, in virtual time.
        lines: how often it ran each statement of these functions, by the statement's first line, in
            order; empty if a decorator answered instead.
        outcome: how it ended: the execution's status with its result or error, or a suspension.
    """

    started: datetime
    lines: Mapping[int, int]
    outcome: str


@dataclass(frozen=True)
class Side:
    """One of the two handlers of a lesson, and a run of it.

    Parameters:
        blocks: the functions of the handler's file that ran.
        invocations: every invocation of the run, in order.
        recording: the recording of the run.
    """

    blocks: Sequence[Block]
    invocations: Sequence[Invocation]
    recording: Recording

    @property
    def code(self) -> str:
        """The handler's source."""
        return "".join(f"{line}\n" for line in self._handler.lines)

    @property
    def first_line(self) -> int:
        """The line of the handler's file at which the code starts."""
        return self._handler.first

    def source(self, line: int) -> str:
        """Return the statement at a line as one, without comments and the indentation of a body."""
        block = next(one for one in self.blocks if line in _lines_of(one))
        last = dict(block.statements).get(line, line)
        first, *rest = (
            _COMMENT.sub("", text).rstrip()
            for text in block.lines[line - block.first : last - block.first + 1]
        )
        joined = " ".join([first, *map(str.strip, rest)])
        return _CLOSED.sub(r"\1", _OPENED.sub(r"\1", joined)).removeprefix(_INDENTATION)

    @property
    def _handler(self) -> Block:
        return next(block for block in self.blocks if block.is_handler)


def _lines_of(block: Block) -> range:
    return range(block.first, block.first + len(block.lines))


@dataclass(frozen=True)
class Lesson:
    """A gotcha, explained by a run of both of its handlers.

    Parameters:
        title, rule: the first sentence of the module's docstring, and the rest of it.
        shows: what a run of the broken handler shows.
        finding: the code of the finding that `dacapo verify` reports for it.
        target: the broken scenario, as `dacapo verify` takes it.
    """

    name: str
    title: str
    rule: str
    shows: str
    finding: str
    target: str
    broken: Side
    fixed: Side


def titles() -> dict[str, str]:
    """Return the title of each gotcha by its name, in teaching order."""
    return {name: heading(name)[0] for name in GOTCHAS}


def lesson(name: str) -> Lesson:
    """Run both handlers of a gotcha, and return the lesson.

    Parameters:
        name: one of `GOTCHAS`.

    Raises:
        KeyError: there is no gotcha of this name.
    """
    finding = VERDICTS[name].finding
    module, (title, rule) = module_of(name), heading(name)
    return Lesson(
        name=name,
        title=title,
        rule=rule,
        shows=module.SHOWS,
        finding=finding,
        target=f"gotchas/{name}.py:breaks",
        broken=_side(module.breaks),
        fixed=_side(module.holds),
    )


def _side(scenario: Scenario) -> Side:
    watched = watch(scenario)
    blocks = watched.source.blocks if watched.source else ()
    invocations = list(_invocations(watched, blocks))
    if watched.recording.ended is None:
        invocations[-1] = replace(invocations[-1], outcome=NEVER_RESUMED)
    return Side(blocks, invocations, watched.recording)


def _invocations(watched: Watched, blocks: Sequence[Block]) -> Iterator[Invocation]:
    recording = watched.recording
    shown = {line for block in blocks for line in _lines_of(block)}
    for ran, recorded in zip(watched.passes, recording.invocations, strict=True):
        outcome = _outcome(recording, recorded.status)
        lines = ran.lines.items() if ran else ()
        counts = {line: count for line, count in lines if line in shown}
        yield Invocation(recorded.started, counts, outcome)


def _outcome(recording: Recording, status: str) -> str:
    if status == "SUCCEEDED":
        return f"SUCCEEDED {recording.output}"
    if status == "FAILED" and recording.error:
        return f"FAILED {(recording.error.type or '').rpartition('.')[2]}"
    return SUSPENDED if status == "PENDING" else status


def heading(name: str) -> tuple[str, str]:
    """Return the title of a gotcha, its docstring's first sentence, and its rule, the rest."""
    title, _, rule = inspect.cleandoc(module_of(name).__doc__ or "").partition("\n\n")
    return title, rule


def module_of(name: str) -> ModuleType:
    """Return the module of a gotcha."""
    return import_module(f"gotchas.{name}")
