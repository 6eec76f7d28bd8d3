"""What a test does to executions from outside, and the scenarios that can be inferred from it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import ErrorObject, Operation

from dacapo.history.operations import callback_path
from dacapo.scenario import Scenario, inherited
from dacapo.scenario.answers import Answer, Send
from dacapo.scenario.external_events import ExternalEvent, pause, resume
from dacapo.scheduling.scheduler import here
from dacapo.service.callbacks import DeliveryKind
from dacapo.service.errors import ServiceError
from dacapo.service.execution import Execution, ExecutionStatus
from dacapo.service.functions import Handler
from dacapo.service.validation import check_execution_name
from dacapo.testing.session import Session


class NotInferred(Exception):  # noqa: N818 - what happened
    """No scenario can be inferred from what a test does: says why."""


@dataclass(frozen=True)
class Inferred:
    """A scenario without what cannot be sent to another process.

    Parameters:
        members: the parameters of the scenario, without its functions.
        function: name of the function.
    """

    members: Mapping[str, Any]
    function: str

    def scenario(self, handler: Handler, functions: Mapping[str, Handler]) -> Scenario:
        """Return the scenario; its world is what the process has when a run begins."""
        return Scenario(
            handler=handler,
            functions=functions,
            function_name=self.function,
            world=inherited,
            **self.members,
        )


@dataclass
class _Callback:
    path: str
    at: datetime
    sends: list[Send] = field(default_factory=list)


class Actions:
    """Everything that a test does with one runner, from outside.

    Parameters:
        handler: the handler of the runner.
        session: its session, whose callbacks this follows.
    """

    def __init__(self, handler: Handler, session: Session) -> None:
        self.handler = handler
        self.functions: dict[str, Handler] = {}
        self.executions: list[Execution] = []
        """Those that the test started."""
        self.on_starting: Callable[[], None] = lambda: None
        """Runs before the test starts an execution."""
        self._session = session
        self._callbacks: dict[str, _Callback] = {}
        self._created: dict[str, list[_Callback]] = defaultdict(list)
        self._pauses: dict[str, list[ExternalEvent]] = defaultdict(list)
        self._obstacle = ""
        session.service.callbacks.on_created = self._note_callback

    @property
    def handlers(self) -> list[Handler]:
        """The handler, and the functions that it can invoke."""
        return [self.handler, *self.functions.values()]

    def forbid(self) -> None:
        """Refuse every further call of the runner, because this process only verifies."""
        self._session.is_over = True

    def started(self, execution: Execution) -> None:
        """Note that the test starts an execution."""
        self.executions.append(execution)

    def paused(self, execution: Execution) -> None:
        """Note that the test pauses an execution."""
        after = self._session.clock.now - execution.started
        self._pauses[execution.arn].append(pause(after=after))

    def resumed(self, execution: Execution) -> None:
        """Note that the test resumes an execution."""
        after = self._session.clock.now - execution.started
        self._pauses[execution.arn].append(resume(after=after))

    def sent(
        self, callback_id: str, kind: DeliveryKind, result: bytes, error: ErrorObject | None
    ) -> None:
        """Note that the test answers a callback, or sends a heartbeat for it."""
        scheduler = self._session.simulation.scheduler
        if here() is scheduler and scheduler.current is not scheduler.driver:
            self._obstacle = "the handler answers callbacks through the test's runner"
        callback = self._callbacks[callback_id]
        after = self._session.clock.now - callback.at
        members = error.to_dict() if error else None
        callback.sends.append(Send(kind, after, result, members))

    def inferred(self, execution: Execution) -> Inferred:
        """Return the scenario of an execution that the test started.

        Raises:
            NotInferred: it has none, because of what the test did.
        """
        if self._obstacle:
            raise NotInferred(self._obstacle)
        if any(not d.by and not d.refused for d in self._session.service.callbacks.deliveries):
            raise NotInferred("a callback was answered through boto3")
        if execution.is_running:
            raise NotInferred("the execution had not ended when the test did")
        members = {
            "event": json.loads(execution.payload),
            "name": execution.function.name,
            "start": execution.started,
            "timeout": execution.function.timeout,
            "account": execution.function.account,
            "answers": self._answers(execution),
            "external_events": self._pauses[execution.arn],
            "expects": _ending(execution),
            "execution_name": _valid_name(execution.name),
            "execution_timeout": _timeout(execution),
        }
        return Inferred(members, execution.function.name)

    def _note_callback(self, execution: Execution, operation: Operation) -> None:
        details = operation.callback_details
        path = callback_path(execution.operations, operation)
        callback = _Callback(path, self._session.clock.now)
        self._created[execution.arn].append(callback)
        self._callbacks[details.callback_id if details else ""] = callback

    def _answers(self, execution: Execution) -> dict[str, list[Answer]]:
        answers: dict[str, list[Answer]] = defaultdict(list)
        for callback in self._created[execution.arn]:
            answers[callback.path].append(Answer(tuple(callback.sends)))
        return {path: each for path, each in answers.items() if any(one.sends for one in each)}


def _ending(execution: Execution) -> str:
    status = execution.execution_status
    failed_with = execution.error.type if execution.error else None
    if status is ExecutionStatus.FAILED and failed_with:
        return failed_with.rpartition(".")[2]
    return status.value


def _valid_name(name: str) -> str | None:
    try:
        check_execution_name(name)
    except ServiceError:
        return None
    return name


def _timeout(execution: Execution) -> timedelta | None:
    if execution.execution_status is not ExecutionStatus.TIMED_OUT or execution.ended is None:
        return None
    return execution.ended - execution.started


def input_of(value: Any) -> str:
    """Return what a test passes as an input, as JSON: anything else is made JSON."""
    try:
        json.loads(value)
    except (TypeError, ValueError):
        return json.dumps(value)
    return value.decode() if isinstance(value, bytes | bytearray) else str(value)
