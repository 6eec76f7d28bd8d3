"""Scenarios: a handler, its input and world, external events, and answers to its callbacks.

An external event can be any function of the world; `pause` and `resume` make those that pause the
execution and resume it.

An answer is a series of calls of the callback API, each some virtual time after the callback was
created. Answers can be added: `heartbeats(every=minute, times=3) + succeed("done", after=5 *
minute)`.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import Operation

from dacapo.errors import ScenarioError
from dacapo.history import endings
from dacapo.lambda_api.http import Request
from dacapo.process.active_run import ACTIVE
from dacapo.sdk.installed import is_durable
from dacapo.service import quotas
from dacapo.service.callbacks import DeliveryKind
from dacapo.service.errors import ServiceError
from dacapo.service.functions import ACCOUNT, REGION, FunctionName, Handler, function_arn
from dacapo.service.validation import check_execution_name

_AT_ONCE = timedelta(0)


@dataclass(frozen=True)
class Send:
    """One call of the callback API.

    Parameters:
        kind: kind of the call.
        after: virtual time since the callback was created.
        result: payload of a success.
        error: error of a failure, in the API's shape (`ErrorMessage`, `ErrorType`, …).
    """

    kind: DeliveryKind
    after: timedelta
    result: bytes = b""
    error: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        _check_after(self.after, "after")


@dataclass(frozen=True)
class Answer:
    """A series of calls of the callback API for one callback; add two answers to get both."""

    sends: tuple[Send, ...] = ()

    def __add__(self, other: Answer) -> Answer:
        return Answer(self.sends + other.sends)


Answers = Answer | Sequence[Answer] | Callable[[Operation], Answer]
"""Answers to the callbacks of one name: one answer for all, one for each in the order of their
creation, or a function of the callback operation."""

_NOTHING = object()


def succeed(
    value: Any = _NOTHING, *, after: timedelta = _AT_ONCE, raw: bytes | None = None
) -> Answer:
    """Answer a callback with a success.

    Parameters:
        value: the result, sent as JSON; omit it to send an empty payload.
        after: virtual time since the callback was created.
        raw: the payload as bytes, instead of `value`.
    """
    if raw is None:
        raw = b"" if value is _NOTHING else json.dumps(value).encode()
    return Answer((Send(DeliveryKind.SUCCESS, after, result=raw),))


def fail(
    message: str,
    *,
    error_type: str | None = None,
    data: str | None = None,
    after: timedelta = _AT_ONCE,
) -> Answer:
    """Answer a callback with a failure.

    Parameters:
        message, error_type, data: the error's ErrorMessage, ErrorType and ErrorData.
        after: virtual time since the callback was created.
    """
    members = {"ErrorMessage": message, "ErrorType": error_type, "ErrorData": data}
    error = {member: value for member, value in members.items() if value is not None}
    return Answer((Send(DeliveryKind.FAILURE, after, error=error),))


def heartbeats(*, every: timedelta, times: int) -> Answer:
    """Send `times` heartbeats, the first one after `every`, and then nothing.

    Parameters:
        every: virtual time between two heartbeats; more than 0.
        times: how many; 0 or more.

    Raises:
        ScenarioError: `every` or `times` is out of range.
    """
    _check_positive(every, "every")
    _require(times >= 0, f"times must be 0 or more, not {times!r}")
    return Answer(tuple(Send(DeliveryKind.HEARTBEAT, every * n) for n in range(1, times + 1)))


def never() -> Answer:
    """Send nothing: the callback gets no answer."""
    return Answer()


def answer_for(answers: Answers | None, number: int, operation: Operation) -> Answer:
    """Return the answer to callback number `number` (from 0) of its name."""
    match answers:
        case None:
            return Answer()
        case Answer():
            return answers
        case Sequence():
            return answers[number] if number < len(answers) else Answer()
        case _:
            return answers(operation)


START = datetime(2026, 1, 1, tzinfo=UTC)
"""Virtual time at which a run begins by default."""


@dataclass(frozen=True)
class ExternalEvent:
    """An event outside the execution, at a virtual time.

    Parameters:
        after: virtual time since the run began.
        name: the event in words; it names the caller of the event's API calls.
        action: makes it happen; takes the scenario's world.
    """

    after: timedelta
    name: str
    action: Callable[[Any], object]

    def __post_init__(self) -> None:
        _check_after(self.after, f"after of external event {self.name!r}")


def pause(
    *, after: timedelta, reason: str | None = None, execution_timeout_paused: bool = True
) -> ExternalEvent:
    """Pause the scenario's execution, as PauseDurableExecution does.

    Parameters:
        after: virtual time since the run began.
        reason: recorded in the history; at most 1,024 characters.
        execution_timeout_paused: whether the execution timeout is extended by the time spent
            paused.
    """
    members = {"Reason": reason, "ExecutionTimeoutPaused": execution_timeout_paused}
    return ExternalEvent(after, "pause", partial(_steer, "PauseDurableExecution", members))


def resume(*, after: timedelta, reason: str | None = None) -> ExternalEvent:
    """Resume the scenario's execution, as ResumeDurableExecution does.

    Parameters:
        after: virtual time since the run began.
        reason: recorded in the history; at most 1,024 characters.
    """
    members = {"Reason": reason}
    return ExternalEvent(after, "resume", partial(_steer, "ResumeDurableExecution", members))


def _steer(operation: str, members: Mapping[str, Any], _world: Any) -> None:
    api = ACTIVE.api
    if api is None:
        raise RuntimeError("no run is active")
    path = {"DurableExecutionArn": api.first_execution()}
    api.answer(operation, Request(path, body=json.dumps(members).encode()))


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A handler, the event that starts it, and the world in which it runs.

    Parameters:
        handler: the durable handler.
        event: the input; JSON values.
        name: name of this scenario; the loader sets it to the name of its variable.
        world: function that returns a context manager for the AWS around the handler; called once
            for every run. The value that it yields is passed to the external events, and is
            `Recording.world` afterwards.
        answers: answers to callbacks, by the callback's name, or by its path as
            `RecordedOperation.path` has it. Callbacks with one key get their answers in the order
            in which they are created; those that branches create at one moment, in the order of
            the branches.
        external_events: events outside the execution.
        functions: other functions that can be invoked, by name; plain or durable.
        function_name: the handler's function name; None to derive it, see `function`.
        execution_name: execution name, which makes the start idempotent; None to generate one.
        execution_timeout: timeout of the execution; None for the service's limit, 366 days.
        timeout: timeout of one invocation of the handler, 1 s to 15 minutes (quotas). Other
            functions have 15 minutes.
        start: virtual time at which the run begins; must be timezone-aware.
        expects: how the execution is expected to end: a status, or the type of an error by its
            short or dotted name; None for `SUCCEEDED`. `RUNNING` is an execution that never ends.
        invariant: function of the recording and the world that must hold however the execution was
            disturbed. It is called in the world when the run has ended; an AssertionError, or
            returning False, breaks it.
        waives: experiments of `verify` that need not be made, each with the reason.
        region, account: AWS region and account of the functions. Clients that are made during the
            run use the region as well; those that were made before keep theirs.
    """

    handler: Handler
    event: Any = None
    name: str = ""
    world: Callable[[], AbstractContextManager[Any]] = nullcontext
    answers: Mapping[str, Answers] = field(default_factory=dict)
    external_events: Sequence[ExternalEvent] = ()
    functions: Mapping[str, Handler] = field(default_factory=dict)
    function_name: str | None = None
    execution_name: str | None = None
    execution_timeout: timedelta | None = None
    timeout: timedelta = quotas.INVOCATION
    start: datetime = START
    expects: endings.Expectation = None
    invariant: Callable[[Any, Any], object] | None = None
    waives: Mapping[str, str] = field(default_factory=dict)
    region: str = REGION
    account: str = ACCOUNT

    def __post_init__(self) -> None:
        _check(self)

    def build_world(self) -> AbstractContextManager[Any]:
        """Return the context manager that builds the world of one run.

        Raises:
            ScenarioError: `world` returns something else.
        """
        built = self.world()
        _require(
            hasattr(built, "__enter__") and hasattr(built, "__exit__"),
            f"world must return a context manager, not {built!r}: decorate "
            f"{_described(self.world)} with @contextmanager",
        )
        return built

    @property
    def function(self) -> str:
        """The function name under which the handler runs.

        A handler named `handler` or `lambda_handler`, or a lambda expression, takes the name of its
        folder if its module is `handler`, and of its module otherwise.
        """
        if self.function_name:
            return self.function_name
        name = self.handler.__name__
        if name.isidentifier() and name not in ("handler", "lambda_handler"):
            return name
        parts = self.handler.__module__.split(".")
        return parts[-2] if parts[-1] == "handler" and len(parts) > 1 else parts[-1]


def _check(scenario: Scenario) -> None:
    """Refuse what cannot be run, with what to write instead.

    Raises:
        ScenarioError: a part of the scenario is not what it has to be.
    """
    _check_handler(scenario.handler)
    _check_mapping(scenario.functions, "functions", "function name")
    for name, function in scenario.functions.items():
        _require(callable(function), f"functions[{name!r}] must be a handler, not {function!r}")
    _check_mapping(scenario.answers, "answers", "callback name")
    for name, answers in scenario.answers.items():
        _check_answers(name, answers)
    for event in scenario.external_events:
        _check_external_event(event)
    _check_world(scenario.world)
    _check_times(scenario)
    _check_names(scenario)
    endings.check(scenario.expects)
    _require(
        scenario.invariant is None or callable(scenario.invariant),
        f"invariant must be a function of the recording and the world, not {scenario.invariant!r}",
    )
    _check_waivers(scenario.waives)


def _require(is_right: bool, message: str) -> None:
    if not is_right:
        raise ScenarioError(message)


def _check_handler(handler: object) -> None:
    _require(
        callable(handler) and is_durable(handler),
        f"handler must be a durable handler, not {_described(handler)}: decorate it with "
        "@durable_execution, or make it one of the scenario's functions",
    )


def _check_waivers(waives: object) -> None:
    _check_mapping(waives, "waives", "experiment")
    for name, reason in waives.items():  # type: ignore[attr-defined] # checked
        _require(
            isinstance(reason, str) and bool(reason.strip()),
            f"waives[{name!r}] must be the reason why the experiment need not be made, not "
            f"{reason!r}",
        )


def _check_mapping(value: object, member: str, key: str) -> None:
    _require(
        isinstance(value, Mapping) and all(isinstance(name, str) for name in value),
        f"{member} must map each {key} (a str) to its value, not be {value!r}",
    )


def _check_answers(name: str, answers: object) -> None:
    if callable(answers) or isinstance(answers, Answer):
        return
    is_sequence = isinstance(answers, Sequence) and not isinstance(answers, str | bytes)
    _require(
        is_sequence and all(isinstance(answer, Answer) for answer in answers),  # type: ignore[attr-defined]
        f"answers[{name!r}] must be an answer, a list of answers or a function that returns one, "
        f"not {answers!r}: write succeed({answers!r})",
    )


def _check_external_event(event: object) -> None:
    if not isinstance(event, ExternalEvent):
        raise ScenarioError(
            f"external_events must hold ExternalEvent(after, name, action), not {event!r}"
        )
    _require(
        callable(event.action),
        f"the action of external event {event.name!r} must be a function of the world, not "
        f"{event.action!r}",
    )


def _check_world(world: object) -> None:
    is_built = hasattr(world, "__enter__") and not isinstance(world, type)
    _require(
        callable(world) and not is_built and not inspect.isgeneratorfunction(world),
        f"world must be a function that returns a context manager, not {_described(world)}: "
        "decorate it with @contextmanager, and pass the function, not its result",
    )


def _check_times(scenario: Scenario) -> None:
    start: object = scenario.start
    timeout: object = scenario.execution_timeout
    _require(
        isinstance(start, datetime) and start.tzinfo is not None,
        f"start must be a timezone-aware datetime, not {start!r}: write datetime(…, tzinfo=UTC)",
    )
    if timeout is not None:
        _check_positive(timeout, "execution_timeout")
    own: object = scenario.timeout
    _require(
        isinstance(own, timedelta) and timedelta(seconds=1) <= own <= quotas.INVOCATION,
        f"timeout must be a timedelta from 1 second to 15 minutes, not {own!r}",
    )


def _check_names(scenario: Scenario) -> None:
    if scenario.execution_name is not None:
        try:
            check_execution_name(scenario.execution_name)
        except ServiceError as error:
            raise ScenarioError(f"execution_name is not valid: {error.message}") from error
    arn = function_arn("name", scenario.region, scenario.account)
    try:
        FunctionName.parse(arn)
    except ServiceError as error:
        raise ScenarioError(
            f"region and account must be those of an ARN, not {scenario.region!r} and "
            f"{scenario.account!r}: write 'eu-west-1' and '123456789012', for example"
        ) from error


def _check_positive(length: object, what: str) -> None:
    _require(
        isinstance(length, timedelta) and length > _AT_ONCE,
        f"{what} must be a positive timedelta, not {length!r}: write timedelta(hours=6), for "
        "example",
    )


def _check_after(after: object, what: str) -> None:
    _require(
        isinstance(after, timedelta) and after >= _AT_ONCE,
        f"{what} must be a timedelta that is not negative, not {after!r}: write "
        "timedelta(hours=6), for example",
    )


def _described(value: object) -> str:
    return str(getattr(value, "__qualname__", None) or repr(value))
