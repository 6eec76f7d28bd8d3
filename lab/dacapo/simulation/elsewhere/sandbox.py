"""The process of an invocation: runs the handler, and asks the process of the world for the rest.

Clock, service and world stay there. So time moves here only when that process says so, and a
checkpoint, a call of AWS or a fake of the world is a question to it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import CheckpointOutput, StateOutput

from dacapo.errors import DacapoError
from dacapo.process import effect_listeners, messages, randomness, scratch
from dacapo.process.active_run import ACTIVE
from dacapo.scheduling.clock import Clock
from dacapo.scheduling.scheduler import Scheduler
from dacapo.sdk.deterministic import in_simulation
from dacapo.service import invocation_input
from dacapo.service.callers import Caller, Callers
from dacapo.service.functions import Function, Handler, LambdaContext
from dacapo.service.sandboxes import Outcome, Sandboxes
from dacapo.simulation import boto, network_guard
from dacapo.simulation.elsewhere import fakes, locate
from dacapo.simulation.elsewhere.wire import Answer, Ask, Done, Job


class Link:
    """The connection to the process of the world.

    Parameters:
        connection: the connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self.clock: FollowingClock | None = None
        self.drain: Callable[[], Any] = lambda: None
        """Returns what was observed since the last message."""
        self.files: Callable[[], Sequence[str]] = tuple
        """Returns the files that this invocation has created outside its own folder."""

    def ask(self, kind: str, *arguments: Any) -> Any:
        """Ask something, and return the answer, or raise it."""
        with self._lock:
            try:
                messages.send(self._connection, Ask(kind, arguments, self.drain(), self.files()))
                answer: Answer = messages.receive(self._connection)
            except (EOFError, OSError):
                os._exit(0)  # nobody waits for this invocation any more
        if self.clock is not None:
            self.clock.follow(answer.now)
        for effect in answer.effects:
            effect_listeners.report(*effect)
        if answer.is_error:
            raise answer.content
        return answer.content


class FollowingClock(Clock):
    """A clock that moves when the one of the world has moved.

    Parameters:
        start: virtual time at which this process began.
        now: virtual time.
        link: leads to the other clock.
    """

    def __init__(self, start: datetime, now: datetime, link: Link) -> None:
        super().__init__(start)
        self.now = now
        self._link = link

    def advance_to(self, due: datetime) -> None:
        """Wait until the world has come to this time."""
        if due > self.now:
            self._link.ask("sleep", due)
            self.follow(due)

    def follow(self, now: datetime) -> None:
        """Move to a time that the world has come to."""
        super().advance_to(now)


class _Service:
    """The service, as the SDK has to see it."""

    def __init__(self, link: Link, probe: Any) -> None:
        self._link = link
        self.probe = probe
        self.flush: Callable[[], None] = lambda: None

    def try_flush(self) -> None:
        """See `ServiceClient.try_flush`."""
        with suppress(Exception):
            self.flush()

    def checkpoint(self, *arguments: Any, **named: Any) -> CheckpointOutput:
        """Have updates stored."""
        output: CheckpointOutput = self._link.ask("checkpoint", arguments, named)
        return output

    def get_execution_state(self, *arguments: Any, **named: Any) -> StateOutput:
        """Read a page of the state."""
        output: StateOutput = self._link.ask("state", arguments, named)
        return output


class _Api:
    """The Lambda API of the run."""

    def __init__(self, link: Link, caller: Callers, first: str) -> None:
        self._link = link
        self._caller = caller
        self._first = first

    def answer(self, operation: str, request: Any) -> Any:
        """Have a call answered."""
        self._caller.flush()
        return self._link.ask("api", operation, request)

    def caller(self) -> str:
        """See `Api.caller`."""
        return self._caller.name()

    def execution(self) -> str:
        """See `Api.execution`."""
        return self._caller.execution()

    def first_execution(self) -> str:
        """See `Api.first_execution`."""
        return self._first

    def fail_next(self, operation: str, error: Any, times: int = 1) -> None:
        """Make the next calls of an operation fail."""
        self._link.ask("fail_next", operation, error, times)


class _Outages:
    """The outages of the run."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def begin(self, *outage: Any) -> None:
        """Refuse to begin one: external events do, and they are not here."""
        raise RuntimeError(f"an outage begins in the process of the world: {outage}")

    def failure(self, service: str, operation: str) -> str | None:
        """See `Outages.failure`."""
        kind: str | None = self._link.ask("failure", service, operation)
        return kind


class Process:
    """A process that runs invocations, one after the other.

    Parameters:
        connection: leads to the process of the world.
        handler: the handler, if this process has it already.
    """

    def __init__(self, connection: Connection, handler: Handler | None = None) -> None:
        self._connection = connection
        self._handler = handler
        self._start: datetime | None = None

    def serve(self) -> None:
        """Run every invocation that is asked for, until the connection is closed."""
        with suppress(EOFError, OSError):
            while True:
                self._send(self._done(messages.receive(self._connection)))

    def _send(self, done: Done) -> None:
        try:
            messages.send(self._connection, done)
        except messages.Unsendable as error:
            messages.send(self._connection, Done(lacks=f"its output cannot be sent: {error}"))

    def _done(self, job: Job) -> Done:
        if job.environment is not None:
            _settle(job)
            self._start = job.now
        try:
            with scratch.watched(is_removing=False) as files:
                done = self._run(job, files)
        except (locate.NotFound, DacapoError) as error:
            return Done(lacks=str(error))
        return Done(done.output, done.error, done.seen, files=list(files.created))

    def _run(self, job: Job, files: scratch.Files) -> Done:
        link = Link(self._connection)
        link.files = lambda: list(files.created)
        clock = link.clock = FollowingClock(self._start or job.now, job.now, link)
        scheduler = Scheduler(clock, job.seed, job.seed)
        arn = job.event["DurableExecutionArn"]
        observers = job.observers(lambda: None, job.first, job.bodies)
        service = _Service(link, observers.probe)
        callers = Callers(scheduler)
        outcomes: list[Outcome] = []
        with (
            network_guard.guarded(),
            clock.driving_process(),
            network_guard.in_region(job.region),
            randomness.seeded(job.seed, scheduler.driver.stream),
            scheduler.driving(),
            in_simulation(scheduler),
            boto.answered_by(_Api(link, callers, job.first)),
            ACTIVE.serving(outages=_Outages(link) if job.has_outages else None),
            boto.forwarding(lambda *request: link.ask("aws", *request)),
            fakes.reached(link.ask),
            observers.observing(),
            invocation_input.entered(arn, job.event["CheckpointToken"], service),
        ):
            handler = self._load(job)
            link.drain = observers.drain
            function = Function(
                handler, job.function, is_durable=True, timeout=job.deadline - job.now
            )
            context = LambdaContext(**job.context, remaining=lambda: job.deadline - clock.now)
            scheduler.counts[arn] = job.turn - 1  # invocations, each a task
            scheduler.counts.update({(arn, step): times for step, times in job.bodies.items()})
            invoked = Sandboxes(scheduler, callers).start(
                function,
                _passed(job.event),
                context,
                Caller(job.function, arn, service.try_flush),
                outcomes.append,
            )
            invoked.sandbox.is_replayed = True
            scheduler.run_ready()
            while not outcomes and clock.run_next():
                pass
        (outcome,) = outcomes or [Outcome()]
        return Done(outcome.output, outcome.error, observers.drain())

    def _load(self, job: Job) -> Handler:
        if self._handler is None:
            if job.location is None:
                raise locate.NotFound("the handler is nowhere to be found")
            # What a module draws when it is imported is its process's own.
            randomness.reseed("import", job.turn)
            self._handler = locate.load(job.location)
        fakes.put(job.shared)
        fakes.put_into(self._handler, job.closed_over)
        return self._handler


def _settle(job: Job) -> None:
    os.chdir(job.folder)
    os.environ.clear()
    os.environ.update(job.environment or {})
    sys.path[:] = job.path
    tempfile.tempdir = None


@contextmanager
def _passed(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield event
