"""A scenario: everything that a run needs, in one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dacapo.answers import Answers
from dacapo.service.functions import Handler

START = datetime(2026, 1, 1, tzinfo=UTC)
"""When a run begins, in virtual time, unless its scenario says otherwise."""


@dataclass(frozen=True)
class Happening:
    """Something that occurs outside the execution, at a virtual time.

    Parameters:
        after: virtual time since the run began.
        name: what occurs, in words.
        action: makes it occur; is given the scenario's world.
    """

    after: timedelta
    name: str
    action: Callable[[Any], object]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A handler, the event that starts it, and the world in which it runs.

    Parameters:
        handler: the durable handler.
        event: the input; JSON values.
        name: what this scenario is called; the loader gives it the name of its variable.
        world: makes the AWS around the handler; called afresh for every run. What it yields is
            given to the happenings, and is `Recording.world` afterwards.
        answers: who answers which callback, by the callback's name.
        happenings: what occurs outside.
        functions: other functions that can be invoked, by name, plain or durable.
        function_name: the handler's own function name; None for the name of its module.
        execution_name: makes the start idempotent; None for a name of the service's own.
        execution_timeout: bound of the execution; None for the service's own, 366 days.
        start: when the run begins in virtual time; must be timezone-aware.
    """

    handler: Handler
    event: Any = None
    name: str = ""
    world: Callable[[], AbstractContextManager[Any]] = nullcontext
    answers: Mapping[str, Answers] = field(default_factory=dict)
    happenings: Sequence[Happening] = ()
    functions: Mapping[str, Handler] = field(default_factory=dict)
    function_name: str | None = None
    execution_name: str | None = None
    execution_timeout: timedelta | None = None
    start: datetime = START

    @property
    def function(self) -> str:
        """The function name under which the handler runs.

        A handler called `handler`, `lambda_handler` or nothing at all does not say what it is:
        the folder it lives in does, or else its module.
        """
        if self.function_name:
            return self.function_name
        name = self.handler.__name__
        if name.isidentifier() and name not in ("handler", "lambda_handler"):
            return name
        parts = self.handler.__module__.split(".")
        return parts[-2] if parts[-1] == "handler" and len(parts) > 1 else parts[-1]
