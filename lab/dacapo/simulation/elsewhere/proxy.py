"""The process of the world: has the invocations of a scenario run in other processes.

A scenario's durable handlers are replaced by stand-ins. A stand-in runs as a task of the run, like
the handler would. It sends the invocation to a sandbox and answers its questions, in the name of
the function, until the invocation has ended. If the run ends the invocation, the sandbox ends.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import wraps
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from aws_durable_execution_sdk_python.lambda_service import ErrorObject

from dacapo.process import children, messages, scratch
from dacapo.process.active_run import ACTIVE
from dacapo.scenario import Scenario
from dacapo.scheduling.scheduler import Scheduler, here
from dacapo.sdk.installed import is_durable
from dacapo.service import invocation_input
from dacapo.service.functions import Handler, LambdaContext
from dacapo.service.sandboxes import EXITED, InvocationFailed
from dacapo.simulation import boto
from dacapo.simulation.elsewhere import fakes, locate
from dacapo.simulation.elsewhere.interpreters import Interpreters
from dacapo.simulation.elsewhere.wire import Answer, Ask, Done, Job, Location, Shared

_LOOK_SECONDS = 1.0


class Seen(Protocol):
    """Everything that is seen of a run."""

    bodies: Counter[str]

    def add(self, other: Any) -> None:
        """Add what is seen of a later part."""


class CannotRunElsewhere(Exception):  # noqa: N818 - what happened
    """The invocations of this scenario cannot be run in other processes: says why."""


@dataclass
class Elsewhere:
    """Runs the invocations of one run of a scenario in other processes.

    Parameters:
        scenario: the scenario.
        target: names it on the command line; "" elsewhere.
        interpreters: make the processes.
        is_cold: whether each invocation has a process of its own; otherwise each function has one.
        seed: seed of the run.
        observers: makes what observes an invocation in its process.
        seen: receives what was seen.
        folder: the temporary directory of the sandboxes.
        beat: says that the run makes progress.
        lacks: why an invocation could not be run; "" if all could.
    """

    scenario: Scenario
    target: str
    interpreters: Interpreters
    is_cold: bool
    seed: int
    observers: Callable[..., Any]
    seen: Seen
    folder: Path
    beat: Callable[[], None]
    lacks: str = ""
    _shared: list[Shared] = field(default_factory=list)
    _closed_over: dict[str, dict[fakes.CellPath, fakes.Reference]] = field(default_factory=dict)
    _exchange: fakes.Exchange = field(default_factory=fakes.Exchange)
    _turns: Counter[str] = field(default_factory=Counter)
    _warm: dict[str, Connection] = field(default_factory=dict)
    _files: list[str] = field(default_factory=list)
    _begun: int = 0

    def stand_in(self) -> Scenario:
        """Return the scenario with stand-ins for its durable handlers."""
        scenario = self.scenario
        functions = {
            name: self._stand_in(handler, name) if is_durable(handler) else handler
            for name, handler in scenario.functions.items()
        }
        return replace(
            scenario,
            handler=self._stand_in(scenario.handler, scenario.function),
            functions=functions,
            function_name=scenario.function,
            world=self._world,
        )

    def close(self) -> None:
        """End the sandboxes that are left."""
        for connection in self._warm.values():
            connection.close()
        self._warm.clear()
        scratch.remove(self._files)  # the next run begins without them

    @contextmanager
    def _world(self) -> Iterator[Any]:
        before = fakes.variables()
        built: AbstractContextManager[Any] = self.scenario.build_world()
        with built as world:
            self._shared = fakes.shared(before, world, self._exchange)
            self._closed_over = {
                function: fakes.closed_over(handler, world, self._exchange)
                for function, handler in self.scenario.handlers.items()
            }
            yield world

    def _stand_in(self, handler: Handler, function: str) -> Handler:
        location = locate.find(handler, self.scenario, function, self.target)

        @wraps(handler)
        def elsewhere(event: dict[str, Any], context: LambdaContext) -> Any:
            return self._invoke(location, function, event, context)

        return elsewhere

    def _invoke(
        self, location: Location | None, function: str, event: dict[str, Any], context: Any
    ) -> Any:
        scheduler = here()
        if scheduler is None:
            raise RuntimeError("an invocation needs a simulation that is running")
        is_new = self.is_cold or function not in self._warm
        connection = self._connection(location, function)
        job = self._job(scheduler, location, function, event, context, is_new=is_new)
        served = _Served(self, connection, scheduler, event)
        try:
            messages.send(connection, job)
            done = served.until_done()
        except BaseException:
            # The run ended the invocation, and on Lambda its sandbox with it.
            self._lose(function, connection, served.files)
            raise
        self._keep(function, connection, done, served.files)
        return self._outcome(done)

    def _connection(self, location: Location | None, function: str) -> Connection:
        if not self.is_cold and function in self._warm:
            return self._warm[function]
        connection = self.interpreters.connect(self._begun, location, function)
        self._begun += 1
        shutil.rmtree(self.folder, ignore_errors=True)  # another sandbox has another disk
        self.folder.mkdir()
        return connection

    def _keep(
        self, function: str, connection: Connection, done: Done, files: Sequence[str]
    ) -> None:
        has_exited = done.error is not None and done.error.type == EXITED
        if self.is_cold or has_exited:
            self._lose(function, connection, [*files, *done.files])
        else:
            self._files += self._own(done.files)
            self._warm[function] = connection

    def _lose(self, function: str, connection: Connection, files: Sequence[str]) -> None:
        """End a sandbox; its disk goes with it."""
        self._warm.pop(function, None)
        connection.close()
        scratch.remove([*self._files, *self._own(files)])
        self._files.clear()

    def _own(self, files: Sequence[str]) -> list[str]:
        """Return files but those of the world, which has them in the folder around this."""
        return [file for file in files if not file.startswith(str(self.folder.parent))]

    def _job(
        self,
        scheduler: Scheduler,
        location: Location | None,
        function: str,
        event: dict[str, Any],
        context: LambdaContext,
        *,
        is_new: bool,
    ) -> Job:
        arn = event["DurableExecutionArn"]
        self._turns[arn] += 1
        now = scheduler.clock.now
        stream = f"{now:%Y/%m/%d}/[{context.function_version}]{self._begun:032x}"
        members = {
            "aws_request_id": context.aws_request_id,
            "function_name": context.function_name,
            "function_version": context.function_version,
            "tenant_id": context.tenant_id,
            "invoked_function_arn": context.invoked_function_arn,
            "log_stream": stream,
        }
        environment = {**os.environ, "TMPDIR": str(self.folder)}
        environment["AWS_LAMBDA_LOG_STREAM_NAME"] = stream
        return Job(
            location,
            function,
            boto.active().first_execution(),
            event,
            members,
            region=self.scenario.region,
            seed=self.seed,
            turn=self._turns[arn],
            now=now,
            deadline=now + timedelta(milliseconds=context.get_remaining_time_in_millis()),
            environment=environment if is_new else None,
            folder=str(Path.cwd()),
            path=children.import_path(),
            shared=self._shared,
            closed_over=self._closed_over.get(function, {}),
            has_outages=ACTIVE.outages is not None,
            observers=self.observers,
            bodies=dict(self.seen.bodies),
        )

    def _outcome(self, done: Done) -> Any:
        if done.seen is not None:
            self.seen.add(done.seen)
        if done.lacks:
            self.lacks = self.lacks or done.lacks
            raise CannotRunElsewhere(done.lacks)
        if done.error is not None:
            raise InvocationFailed(done.error)
        return done.output

    def _fake(self, what: str, number: int, arguments: tuple[Any, ...], named: Any) -> Any:
        return self._exchange.do(what, number, arguments, named)


class _Served:
    """Answers the questions of one invocation."""

    def __init__(
        self, run: Elsewhere, connection: Connection, scheduler: Scheduler, event: dict[str, Any]
    ) -> None:
        self.run = run
        self.connection = connection
        self.scheduler = scheduler
        self.effects: list[tuple[str, str, Any]] = []
        self.files: Sequence[str] = ()
        token = event["CheckpointToken"]
        inputs: invocation_input.InvocationInputs = ACTIVE.invocation_inputs
        self.client = inputs.find(event["DurableExecutionArn"], token).client
        self.kinds: dict[str, Callable[..., Any]] = {
            "checkpoint": self.checkpoint,
            "state": self.state,
            "sleep": self.sleep,
            "api": self.api,
            "fail_next": lambda *arguments: boto.active().fail_next(*arguments),
            "aws": self.aws,
            "failure": self.failure,
            "fake": run._fake,  # noqa: SLF001 - a part of it
        }

    def until_done(self) -> Done:
        """Answer until the invocation has ended, and return how."""
        while True:
            message = self.receive()
            if isinstance(message, Done):
                return message
            self.answer(message)

    def receive(self) -> Ask | Done:
        """Wait for the next message; the sandbox watches over the handler itself."""
        while not self.connection.poll(_LOOK_SECONDS):
            self.scheduler.watchdog.goes_on()
        try:
            message: Ask | Done = messages.receive(self.connection)
        except (EOFError, OSError):
            return Done(error=ErrorObject("Error: Runtime exited", EXITED, None, None))
        return message

    def answer(self, ask: Ask) -> None:
        """Answer a question."""
        self.files = ask.files
        self.run.beat()
        if ask.seen is not None:
            self.run.seen.add(ask.seen)
        self.effects = []
        try:
            with ACTIVE.serving(effect_listeners=(self.report,)):
                content, is_error = self.kinds[ask.kind](*ask.arguments), False
        except Exception as error:  # noqa: BLE001 - raised in the sandbox
            content, is_error = error, True
        self.scheduler.check()  # a crash ends the invocation here
        now: datetime = self.scheduler.clock.now
        try:
            messages.send(self.connection, Answer(content, is_error, now, self.effects))
        except messages.Unsendable as error:
            self.run.lacks = self.run.lacks or f"an answer of the world cannot be sent: {error}"
            raise CannotRunElsewhere(self.run.lacks) from error

    def report(self, service: str, operation: str, request: Any) -> None:
        """Keep an effect that a fake reports: its step is known in the sandbox."""
        self.effects.append((service, operation, {"body": request.get("body")}))

    def checkpoint(self, arguments: Any, named: Any) -> Any:
        """Store updates."""
        output = self.client.checkpoint(*arguments, **named)
        self.scheduler.switch()
        return output

    def state(self, arguments: Any, named: Any) -> Any:
        """Read a page of the state."""
        return self.client.get_execution_state(*arguments, **named)

    def sleep(self, due: datetime) -> None:
        """Let the world come to a time."""
        self.scheduler.waiter().wait(due - self.scheduler.clock.now)

    def api(self, operation: str, request: Any) -> Any:
        """Answer a call of the Lambda API."""
        self.scheduler.switch()
        return boto.active().answer(operation, request)

    def aws(self, *request: Any) -> Any:
        """Answer a call of another service."""
        self.scheduler.switch()
        return boto.answer_forwarded(*request)

    def failure(self, service: str, operation: str) -> str | None:
        """Return how a call fails that is about to be made."""
        return ACTIVE.outages.failure(service, operation) if ACTIVE.outages else None
