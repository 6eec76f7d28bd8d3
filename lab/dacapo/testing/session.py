"""Virtual time for a test that drives executions step by step: the test is the outside world.

A session is connected to the process during each call of the runner, and only then. Between two
calls, while an execution runs, the process has the virtual clock, boto3 reaches the run, and
`time.sleep` in the test lets virtual time pass. Once nothing runs, the process is as it was.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import time_machine

from dacapo.errors import DacapoError, NeverHappens
from dacapo.process import randomness
from dacapo.process.active_run import ACTIVE
from dacapo.scenario import START
from dacapo.scheduling import waits
from dacapo.scheduling.baton import real_monotonic
from dacapo.scheduling.clock import duration
from dacapo.scheduling.scheduler import here
from dacapo.service import quotas
from dacapo.service.errors import ServiceError
from dacapo.service.execution import Execution
from dacapo.service.functions import Function
from dacapo.simulation.runner import MOST_INVOCATIONS
from dacapo.simulation.simulation import Simulation
from dacapo.testing.parties import Parties
from dacapo.testing.waiting import open_callbacks

PATIENCE_SECONDS = 10.0
"""Real time for which a thread that waits for a result lets other threads of the test go first."""
_PAUSE_SECONDS = 0.01
"""Real time between two checks of what those threads do."""
_INVOCATION_ID = "inv-12345678-1234-1234-1234-123456789012"
"""The last part of every execution's ARN (testing SDK)."""
_TURN = threading.Condition()
"""One thread at a time is connected to its session."""
_NUMBERS: Counter[str] = Counter()
"""How many sessions each test has begun."""


def _new_seed() -> int:
    """Return a seed that a test has each time that it runs, and no other test."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    if test not in _NUMBERS:
        _NUMBERS.clear()
    _NUMBERS[test] += 1
    text = f"{test} {_NUMBERS[test]}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")


class Session:
    """A simulation whose clock goes on only while a test waits for it.

    Parameters:
        region: AWS region in the ARNs of functions.
    """

    def __init__(self, region: str) -> None:
        waits.replace_imported_sleep()
        self.seed = _new_seed()
        self.simulation = Simulation(self.seed, START, region=region)
        self.service = self.simulation.service
        self.clock = self.simulation.clock
        self.clock.restart_at(datetime.now(UTC))
        self._parties = Parties()
        self._goals: dict[int, Callable[[], bool]] = {}
        self._between: ExitStack | None = None
        self._before: Session | None = None
        self.is_over = False
        """Whether it is closed, or an error has ended its run."""

    @property
    def running(self) -> list[Execution]:
        """The executions that have not ended."""
        return [one for one in self.service.executions.values() if one.is_running]

    # -- calls ----------------------------------------------------------------------------------

    @contextmanager
    def called(self) -> Iterator[None]:
        """Context manager of a call: the simulation is connected to the process.

        Raises:
            DacapoError: the session is closed, or an error ended its run.
        """
        if here() is self.simulation.scheduler:  # a handler of this run makes the call
            self.service.callers.flush()
            yield
            return
        with _TURN:
            if self.is_over:
                raise DacapoError("this runner is closed, or an error has ended its run")
            self._enter()
            threads = set(threading.enumerate())
            try:
                with self._ending_with_errors(), self.simulation.connected():
                    yield
            finally:
                self._parties.note_threads_of_run(threads)
                self._go_between()
                _TURN.notify_all()

    def start(self, function: Function, payload: str, name: str) -> Execution:
        """Start an execution; within a call.

        Parameters:
            function: the durable function, as it is invoked.
            payload: the input, as JSON.
            name: execution name; another execution may have it, too.
        """
        number = len(self.service.executions) + 1
        execution = Execution(
            seed=self.seed,
            arn=f"{randomness.uuid_from('execution', self.seed, number)}/{_INVOCATION_ID}",
            name=name,
            function=function,
            payload=payload,
            started=self.clock.now,
            timeout=function.execution_timeout or quotas.LONGEST_WAIT,
        )
        self.service.begin(execution)
        return execution

    def settle(self) -> None:
        """Run all that is due now; within a call."""
        scheduler = self.simulation.scheduler
        if scheduler.current is not scheduler.driver:
            return
        scheduler.run_ready()
        while self.clock.run_next(until=self.clock.now):
            self._check_count()

    def play(self, is_reached: Callable[[], bool], patience: float = PATIENCE_SECONDS) -> bool:
        """Let virtual time go on until a goal is reached.

        Parameters:
            is_reached: returns whether it is.
            patience: real seconds for which other threads of the test are waited for.

        Returns:
            False if nothing is due any more.

        Raises:
            DacapoError: a handler of the run makes the call.
        """
        if here() is not None:
            raise DacapoError("a handler can't wait for the execution that it is part of")
        me = threading.get_ident()
        end = real_monotonic() + min(patience, PATIENCE_SECONDS)
        self._goals[me] = is_reached
        try:
            while True:
                with self.called():
                    outcome = self._play(me, end)
                if outcome is not None:
                    return outcome
                with _TURN:
                    _TURN.wait(_PAUSE_SECONDS)
        finally:
            del self._goals[me]

    def close(self) -> None:
        """End the session: what still runs is abandoned."""
        with _TURN:
            if self.is_over:
                return
            self._enter()
            self.is_over = True
            with self.simulation.connected(abandons=True):
                pass
            self._go_between()

    # -- the outside world, see `process.active_run` ----------------------------------------------

    def sleep(self, seconds: float) -> bool:
        """Let virtual time pass for this thread, and return True if the thread is the test's.

        Raises:
            ValueError: `seconds` is negative.
        """
        length = duration(seconds)
        if not self._parties.sees_virtual_time():
            return False
        self._wait(lambda: False, length)
        return True

    def wait_for(self, is_reached: Callable[[], bool], seconds: float) -> bool:
        """Let virtual time pass until a goal is reached, and return True if it is.

        Parameters:
            is_reached: returns whether it is; not called again once it was True.
            seconds: virtual time at most; negative for no limit.
        """
        if not self._parties.sees_virtual_time():
            return False
        return self._wait(is_reached, None if seconds < 0 else duration(seconds))

    def leave(self) -> None:
        """Give the process back its own clock; the next call continues."""
        with _TURN:
            if self._between is not None:
                self._between.close()
                self._between = None
            if ACTIVE.outside is self:
                ACTIVE.outside = None

    def answer(self, operation: str, request: Any) -> Any:
        """Answer one call of the Lambda API that the test makes.

        Raises:
            ServiceError: an error of the model.
        """
        with self.called():
            response = self.simulation.api.answer(operation, request)
            self.settle()
            return response

    def caller(self) -> str:
        """Return "": the test is outside."""
        return ""

    def execution(self) -> str:
        """Return "": the test acts for no execution."""
        return ""

    def first_execution(self) -> str:
        """Return the ARN of the execution with which the run began; "" before it has started."""
        return self.simulation.api.first_execution()

    def fail_next(self, operation: str, error: ServiceError, times: int = 1) -> None:
        """Make the next calls of an operation fail."""
        self.simulation.api.fail_next(operation, error, times)

    # -- private ----------------------------------------------------------------------------------

    def _wait(self, is_reached: Callable[[], bool], length: timedelta | None) -> bool:
        events: list[str] = []

        def is_over() -> bool:  # called by any thread that plays
            if "reached" not in events and is_reached():
                events.append("reached")
            return bool(events)

        timer = None
        if length is not None:
            with self.called():
                over = partial(events.append, "time is over")
                timer = self.clock.schedule(length, over, "a wait of the test")
        self.play(is_over)
        if timer is not None:
            self.clock.cancel(timer)
        return "reached" in events

    def _enter(self) -> None:
        self._parties.admit()
        other = ACTIVE.outside
        if isinstance(other, Session) and other is not self:
            other.leave()
            self._before = other
        if self._between is not None:
            self._between.close()
            self._between = None
        if not self.running:
            self.clock.restart_at(datetime.now(UTC))
        ACTIVE.outside = self

    def _go_between(self) -> None:
        if self.is_over or not self.running:
            ACTIVE.outside, before, self._before = None, self._before, None
            if before is not None:  # another runner's execution may still wait for the test
                before._go_between()  # noqa: SLF001 - of the same class
            return
        ACTIVE.outside = self
        self._between = ExitStack()
        self._between.enter_context(self.clock.driving_process())
        self._between.enter_context(ACTIVE.serving(api=self))

    @contextmanager
    def _ending_with_errors(self) -> Iterator[None]:
        """Context manager that ends the session if its run raises, for nobody can continue it."""
        try:
            yield
        except (ServiceError, NeverHappens):
            raise
        except BaseException:
            self.is_over = True
            self.simulation.scheduler.close()
            raise

    def _play(self, me: int, end: float) -> bool | None:
        """Play until the goal of this thread, or the end; None to let other threads go first."""
        while True:
            self.settle()
            if self._goals[me]():
                return True
            if any(one != me and is_reached() for one, is_reached in list(self._goals.items())):
                return None
            can_go_on = not self.clock.is_idle() or self.simulation.scheduler.is_blocked()
            if real_monotonic() < end and self._others_matter(can_go_on=can_go_on):
                return None
            if not (can_go_on and self.clock.run_next()):
                return False
            self._check_count()

    def _others_matter(self, *, can_go_on: bool) -> bool:
        """Return True if other threads are busy, and could answer something that is open."""
        if not self._parties.busy({*self._goals}):
            return False
        return not can_go_on or any(map(open_callbacks, self.running))

    def _check_count(self) -> None:
        if self.simulation.invocations.count > MOST_INVOCATIONS:
            raise NeverHappens(
                f"the run made more than {MOST_INVOCATIONS} invocations and did not end"
            )


@contextmanager
def repeatable(test: str, start: datetime) -> Iterator[None]:
    """Context manager for a test that is the same each time: its clock, and what it draws.

    Parameters:
        test: its name, from which its randomness is seeded.
        start: the time at which it begins; its clock moves only when virtual time passes.
    """
    digest = hashlib.blake2b(test.encode(), digest_size=6).digest()
    seed = int.from_bytes(digest, "big")
    stream = randomness.Stream("test", seed)
    with time_machine.travel(start, tick=False), randomness.seeded(seed, stream):
        yield


def turn() -> AbstractContextManager[object]:
    """Return a context manager in which no thread is connected to a session."""
    return _TURN


def leave_current() -> None:
    """Give the process back its own clock, if a session has it; for the end of a test."""
    if ACTIVE.outside is not None:
        ACTIVE.outside.leave()
