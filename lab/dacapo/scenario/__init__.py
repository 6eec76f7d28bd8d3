"""Scenarios: a handler, its input and world, external events, and answers to its callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dacapo.errors import ScenarioError
from dacapo.history import endings
from dacapo.scenario.answers import Answer, Answers
from dacapo.scenario.checks import (
    check_handler,
    check_mapping,
    check_positive,
    check_waivers,
    check_world,
    described,
    require,
)
from dacapo.scenario.external_events import ExternalEvent
from dacapo.service import quotas
from dacapo.service.errors import ServiceError
from dacapo.service.functions import ACCOUNT, REGION, FunctionName, Handler, function_arn
from dacapo.service.validation import check_execution_name

START = datetime(2026, 1, 1, tzinfo=UTC)
"""Virtual time at which a run begins by default."""


@contextmanager
def inherited() -> Iterator[None]:
    """World of a scenario that cannot be built again: what the process has.

    A run changes it. So `verify` gives each run a process of its own, forked from one that has it
    as it was.
    """
    yield


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
        outage_endings: endings, besides the expected one, in which the execution may end if a
            service is out for a while, as `expects` has them; `verify` asks it of *outages*. With
            `SUCCEEDED`, another result is allowed, too.
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
    outage_endings: Sequence[endings.Expectation] = ()
    invariant: Callable[[Any, Any], object] | None = None
    waives: Mapping[str, str] = field(default_factory=dict)
    region: str = REGION
    account: str = ACCOUNT

    def __post_init__(self) -> None:
        _check(self)

    @property
    def has_one_world(self) -> bool:
        """True if its world cannot be built again for another run in the same process."""
        return self.world is inherited

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers of all functions that can be invoked, by name; its own among them."""
        return {**self.functions, self.function: self.handler}

    def build_world(self) -> AbstractContextManager[Any]:
        """Return the context manager that builds the world of one run.

        Raises:
            ScenarioError: `world` returns something else.
        """
        built = self.world()
        require(
            hasattr(built, "__enter__") and hasattr(built, "__exit__"),
            f"world must return a context manager, not {built!r}: decorate "
            f"{described(self.world)} with @contextmanager",
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
    check_handler(scenario.handler)
    check_mapping(scenario.functions, "functions", "function name")
    for name, function in scenario.functions.items():
        require(callable(function), f"functions[{name!r}] must be a handler, not {function!r}")
    check_mapping(scenario.answers, "answers", "callback name")
    for name, answers in scenario.answers.items():
        _check_answers(name, answers)
    for event in scenario.external_events:
        _check_external_event(event)
    check_world(scenario.world)
    _check_times(scenario)
    _check_names(scenario)
    endings.check(scenario.expects)
    _check_outage_endings(scenario.outage_endings)
    require(
        scenario.invariant is None or callable(scenario.invariant),
        f"invariant must be a function of the recording and the world, not {scenario.invariant!r}",
    )
    check_waivers(scenario.waives)


def _check_answers(name: str, answers: object) -> None:
    if callable(answers) or isinstance(answers, Answer):
        return
    is_sequence = isinstance(answers, Sequence) and not isinstance(answers, str | bytes)
    require(
        is_sequence and all(isinstance(answer, Answer) for answer in answers),  # type: ignore[attr-defined]
        f"answers[{name!r}] must be an answer, a list of answers or a function that returns one, "
        f"not {answers!r}: write succeed({answers!r})",
    )


def _check_external_event(event: object) -> None:
    if not isinstance(event, ExternalEvent):
        raise ScenarioError(
            f"external_events must hold ExternalEvent(after, name, action), not {event!r}"
        )
    require(
        callable(event.action),
        f"the action of external event {event.name!r} must be a function of the world, not "
        f"{event.action!r}",
    )


def _check_outage_endings(allowed: object) -> None:
    require(
        isinstance(allowed, Sequence) and not isinstance(allowed, str),
        f"outage_endings must be a list of endings, not {allowed!r}: write ['FAILED'], for example",
    )
    for ending in allowed:  # type: ignore[attr-defined] # checked
        endings.check(ending, "each of outage_endings")


def _check_times(scenario: Scenario) -> None:
    start: object = scenario.start
    timeout: object = scenario.execution_timeout
    require(
        isinstance(start, datetime) and start.tzinfo is not None,
        f"start must be a timezone-aware datetime, not {start!r}: write datetime(…, tzinfo=UTC)",
    )
    if timeout is not None:
        check_positive(timeout, "execution_timeout")
    own: object = scenario.timeout
    require(
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
