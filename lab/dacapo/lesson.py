"""One gotcha as a lesson: the code, broken and mended, and how the body of each runs again."""

from __future__ import annotations

import importlib
import inspect
import linecache
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from dacapo import passes, runner
from dacapo.passes import Pass
from dacapo.recording import Recording
from dacapo.runner import DEFAULT_SEED
from dacapo.scenario import Scenario
from dacapo.service.functions import Handler
from dacapo.service.invocations import Conditions

PACKAGE = "gotchas"
_TO_A_LINTER = re.compile(r"noqa: [A-Z0-9, ]+ - on purpose: |  # noqa: (?!.*on purpose:).*")


class NoSuchLesson(LookupError):  # noqa: N818 - reads as what it says
    """There is no lesson of this name, or none at all: says which there are."""


@dataclass(frozen=True)
class Side:
    """One of the two handlers of a lesson, and a run of it.

    Parameters:
        code: its source.
        passes: how its body ran, once for each invocation.
    """

    handler: Handler
    code: str
    recording: Recording
    passes: list[Pass]

    def source(self, line: int) -> str:
        """A line of its file."""
        file = inspect.getsourcefile(inspect.unwrap(self.handler)) or ""
        return _for_readers(linecache.getline(file, line))


@dataclass(frozen=True)
class Lesson:
    """A gotcha.

    Parameters:
        title, rule: the first sentence of its text, and the rest.
        shows: what a run of the broken handler shows.
        finding: the code of what `dacapo verify` finds in it.
        scenario: how to run it: what `dacapo verify` takes.
    """

    name: str
    title: str
    rule: str
    shows: str
    finding: str
    scenario: str
    broken: Side
    fixed: Side


def titles() -> dict[str, str]:
    """What each lesson says in a sentence, by its name, in teaching order.

    Raises:
        NoSuchLesson: there are none here.
    """
    return {name: _split(_module(name))[0] for name in _package().GOTCHAS}


def lesson(name: str) -> Lesson:
    """One lesson, with a run of both of its handlers.

    Raises:
        NoSuchLesson: there is none of this name.
    """
    known = _package().GOTCHAS
    if name not in known:
        raise NoSuchLesson(f"there is no lesson {name!r}; there are: {', '.join(known)}")
    module = _module(name)
    title, rule = _split(module)
    return Lesson(
        name=name,
        title=title,
        rule=rule,
        shows=module.SHOWS,
        finding=_module("verdicts").VERDICTS[name].finding,
        scenario=f"{PACKAGE}/{name}.py:breaks",
        broken=_side(module.breaks),
        fixed=_side(module.holds),
    )


def _side(scenario: Scenario) -> Side:
    with passes.watched(scenario.handler) as seen:
        recording = runner.run_under(Conditions(), scenario, seed=DEFAULT_SEED)
    code = _for_readers(inspect.getsource(inspect.unwrap(scenario.handler)))
    return Side(scenario.handler, code, recording, seen)


def _for_readers(code: str) -> str:
    """Code without what is said to a linter only."""
    return _TO_A_LINTER.sub("", code)


def _split(module: ModuleType) -> tuple[str, str]:
    title, _, rule = inspect.cleandoc(module.__doc__ or "").partition("\n\n")
    return title, rule


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{PACKAGE}.{name}")


def _package() -> ModuleType:
    try:
        return importlib.import_module(PACKAGE)
    except ModuleNotFoundError as error:
        raise NoSuchLesson(
            f"there are no lessons in {Path.cwd()}: run this in a checkout of the project"
        ) from error
