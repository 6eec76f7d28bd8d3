"""Runs tasks one at a time, in virtual time.

On Lambda, invocations and branches run in parallel. Here each is a task with threads of its own,
and only the thread that holds the *baton* runs. A task passes the baton on where a real one can
lose the processor to the outside: at a virtual sleep, a synchronous checkpoint, an AWS call, an
invoke, and a lock. A seed decides who goes on, so one seed gives one interleaving. If no task can
go on, the *driver* gets the baton: the thread that owns the clock, and fires the next timer.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from dacapo.errors import HandlerStuck
from dacapo.process.active_run import ACTIVE
from dacapo.process.randomness import Stream
from dacapo.scheduling.baton import Thread, locked, real_monotonic, stop_thread
from dacapo.scheduling.clock import Clock, duration
from dacapo.scheduling.tasks import InvocationEnded, Sandbox, Task, Turn
from dacapo.scheduling.turns import Turns
from dacapo.scheduling.watchdog import Watchdog

_UNWIND_SECONDS = 2.0
"""Real time that the threads of abandoned tasks have to unwind."""


def here() -> Scheduler | None:
    """Return the scheduler of which this thread runs a task, or which it drives; None otherwise."""
    scheduler: Scheduler | None = getattr(ACTIVE.thread, "scheduler", None)
    return scheduler


class Waiter:
    """Lets the current task wait until it is woken, or until a virtual time.

    Parameters:
        turn: when it goes on after it was woken.
    """

    __slots__ = ("_is_blocked", "_lock", "_scheduler", "is_woken", "task", "turn")

    def __init__(self, scheduler: Scheduler, turn: Turn) -> None:
        self.turn = turn
        self._scheduler = scheduler
        self._lock = locked()
        self._is_blocked = False
        self.task = scheduler.current
        self.is_woken = False

    def wake(self) -> None:
        """Let the task go on, now or when it waits."""
        if not self.is_woken:
            self.is_woken = True
            self._go_on()

    def wait(self, timeout: timedelta | None = None) -> bool:
        """Wait in virtual time, and let other tasks and timers go on.

        Parameters:
            timeout: how long at most; None for no limit.

        Returns:
            True if it was woken, False if the time is over or nothing can wake it any more.

        Raises:
            InvocationEnded: the invocation ended meanwhile.
        """
        scheduler = self._scheduler
        scheduler.checkpoint()
        if self.task is scheduler.driver:
            return scheduler.drive(self, timeout)
        if self.is_woken:
            return True
        timer = None
        if timeout is not None:
            timer = scheduler.clock.schedule(timeout, self._go_on, f"wait of {self.task.name}")
        self._is_blocked = True
        scheduler.give_up(self)
        if timer is not None:
            scheduler.clock.cancel(timer)
        return self.is_woken

    def resume(self) -> None:
        """Pass the baton to this waiter's thread."""
        self._lock.release()

    def block(self) -> None:
        """Wait for the baton."""
        self._lock.acquire()

    def _go_on(self) -> None:
        if self._is_blocked:
            self._is_blocked = False
            self._scheduler.turns.add(self)


class Scheduler:
    """Runs the tasks of a simulation, one at a time, in an order that a seed determines.

    Parameters:
        clock: the virtual clock; from now on, tasks run after each timer that it fires.
        seed: seed of the order.
        randomness: seed of the randomness of tasks.
    """

    def __init__(self, clock: Clock, seed: int, randomness: int) -> None:
        self.clock = clock
        self.driver = Task("the driver", "", Stream("driver", randomness))
        self.current = self._latest = self.driver
        self.flush: Callable[[], None] = lambda: None
        """Sends what the current task still holds back, before another one goes on."""
        self.on_sleep: Callable[[], None] = lambda: None
        """Runs when a task begins to sleep."""
        self.on_quiet: Callable[[], None] = lambda: None
        """Runs when every task waits, before time moves."""
        self.turns = Turns(clock, seed)
        self.watchdog = Watchdog(clock)
        self.is_over = False
        self._seed = randomness
        self.counts: Counter[Hashable] = Counter()
        """How often things have happened, and how many tasks were started by key; see `count`."""
        self._blocked: dict[Waiter, None] = {}
        self._idle: list[Thread] = []
        self._threads: list[Thread] = []
        self._baton = locked()
        self._error: BaseException | None = None
        self._drawing: Task | None = None
        self._driving_thread = 0
        self._known_threads: set[threading.Thread] = set()
        clock.on_fired = self.run_ready

    # -- what tasks call ------------------------------------------------------------------------

    def start(
        self, name: str, key: str, run: Callable[[], None], sandbox: Sandbox | None = None
    ) -> Task:
        """Start a task, and return it: it begins when the current one passes the baton on.

        Parameters:
            name: for messages.
            key: its identity in the run.
            run: what it does.
            sandbox: the invocation that it belongs to; None for an outside party.
        """
        stream = Stream("task", self._seed, key, self.count(key) + 1)
        task = Task(name, key, stream, sandbox, self.current.caller)
        task.run = run
        self.turns.begin(task)
        return task

    def count(self, key: Hashable) -> int:
        """Count something that happens in the run, and return how often it had happened before."""
        self.counts[key] += 1
        return self.counts[key] - 1

    def waiter(self, turn: Turn = Turn.BY_SEED) -> Waiter:
        """Return a new waiter of the current task; see `Waiter`."""
        return Waiter(self, turn)

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass for the current task.

        Raises:
            ValueError: `seconds` is negative.
        """
        length = duration(seconds)
        self.on_sleep()
        self.waiter().wait(length)

    def switch(self) -> None:
        """Let another task go on here, if the seed says so."""
        if here() is not self or self.current is self.driver:
            return
        self.checkpoint()
        if self.turns.switches(self.current):
            self.give_up(self.waiter(), goes_on=True)

    def checkpoint(self) -> None:
        """Send what the current task holds back, and check that its invocation goes on.

        Raises:
            InvocationEnded: it has ended.
        """
        self.check()
        self.flush()
        self.check()

    def check(self) -> None:
        """Check that the current task's invocation goes on.

        Raises:
            InvocationEnded: it has ended.
        """
        sandbox = self.current.sandbox
        if sandbox is not None and not sandbox.is_over:
            sandbox.on_check()
        if self.is_unwinding():
            raise InvocationEnded
        self.watchdog.goes_on()

    def fail(self, error: BaseException) -> None:
        """End the run with an error.

        Raises:
            InvocationEnded: always.
        """
        if not self.is_over:
            self._error = self._error or error
            self.is_over = True
            self._baton.release()
        raise InvocationEnded

    def is_foreign(self, thread: threading.Thread) -> bool:
        """Return True if a handler started this thread itself."""
        return thread not in self._known_threads

    def is_unwinding(self) -> bool:
        """Return True if the current task's invocation has ended, or this thread is abandoned."""
        is_abandoned = self.is_over and threading.get_ident() != self._driving_thread
        return is_abandoned or self.current.is_over

    def is_blocked(self) -> bool:
        """Return True if a task waits for something, other than its next invocation."""
        return any(waiter.turn is not Turn.AS_BEGINNING for waiter in self._blocked)

    @contextmanager
    def here(self) -> Iterator[None]:
        """Context manager that makes this thread one of the current task's."""
        before = here()
        ACTIVE.thread.scheduler = self
        self.watchdog.holder = threading.get_ident()
        try:
            with self.beside():
                yield
        finally:
            ACTIVE.thread.scheduler = before

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Context manager for a thread that serves a task, and runs nothing of the handler's."""
        thread = threading.current_thread()
        self._known_threads.add(thread)
        try:
            yield
        finally:
            self._known_threads.discard(thread)

    # -- what the driver calls ------------------------------------------------------------------

    def run_ready(self) -> None:
        """Run tasks until each of them has ended or waits.

        Raises:
            HandlerStuck: one of them spins, or waits for something outside the run.
        """
        if self.current is not self.driver:
            return
        while self.turns:
            self._lend_baton()
            if self._error is not None:
                error, self._error = self._error, None
                self._become(self.driver)
                raise error
        self.on_quiet()

    def drive(self, waiter: Waiter, timeout: timedelta | None = None) -> bool:
        """Let time pass until a waiter of the driver is woken; see `Waiter.wait`."""
        end = None if timeout is None else self.clock.now + timeout
        self.run_ready()
        while not waiter.is_woken and self.clock.run_next(until=end):
            pass
        if end is not None and not waiter.is_woken:
            self.clock.advance_to(end)
        return waiter.is_woken

    @contextmanager
    def driving(self, *, abandons: bool = True) -> Iterator[None]:
        """Context manager that makes this thread the driver.

        Parameters:
            abandons: whether tasks are abandoned in the end. If not, this thread or another one can
                drive them on.
        """
        self._driving_thread = threading.get_ident()
        with ACTIVE.serving(scheduler=self), self.here():
            try:
                yield
            finally:
                if abandons or self.is_over:
                    self.close()
                else:
                    self._rest()

    def exit(self, status: int) -> None:
        """End the current task's invocation, because the handler ends its process.

        Raises:
            InvocationEnded: always, if there is one.
        """
        if self.current.sandbox is not None:
            self.flush()
            self.current.sandbox.on_exit(status)

    def close(self) -> None:
        """Abandon the tasks that are left: they unwind, and their calls are refused."""
        self.is_over = True
        for waiter in list(self._blocked):
            waiter.resume()
        for thread in self._threads:
            thread.end()
        end = real_monotonic() + _UNWIND_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - real_monotonic()))

    def _rest(self) -> None:
        """Put down what only a connected run needs: its randomness, and threads without a job."""
        if self._drawing is not None:
            self._drawing.stream.leave()
            self._drawing = None
        if not self._blocked:
            for thread in self._threads:
                thread.end()
            self._threads.clear()
            self._idle.clear()

    # -- the baton ------------------------------------------------------------------------------

    def give_up(self, waiter: Waiter, *, goes_on: bool = False) -> None:
        """Pass the baton on, and wait until this waiter gets it back.

        Parameters:
            goes_on: whether the task could go on, so that it is ready again once another one runs.

        Raises:
            InvocationEnded: the invocation ended meanwhile.
        """
        sandbox = waiter.task.sandbox
        self._blocked[waiter] = None
        if sandbox is not None:
            sandbox.blocked[waiter] = None
        chosen = self.turns.next(self.current)
        if goes_on:
            self.turns.add(waiter)
        self._pass_to(chosen)
        waiter.block()
        self.watchdog.holder = threading.get_ident()
        del self._blocked[waiter]
        if sandbox is not None:
            del sandbox.blocked[waiter]
        self.check()

    def _pass_on(self) -> None:
        self._pass_to(self.turns.next(self.current))

    def _pass_to(self, chosen: object) -> None:
        match chosen:
            case None:
                self._become(self.driver)
                self._baton.release()
            case Waiter() as waiter:
                self._become(waiter.task)
                waiter.resume()
            case Task() as task:
                self._become(task)
                thread = self._idle.pop() if self._idle else self._new_thread()
                thread.give(lambda: self._run(task, thread))

    def _become(self, task: Task) -> None:
        self.current = task
        if task is self.driver:
            return
        self._latest = task
        self.watchdog.name = task.name
        if self._drawing is not task:  # the driver draws from what the last task left
            if self._drawing is not None:
                self._drawing.stream.leave()
            task.stream.enter()
            self._drawing = task

    def _new_thread(self) -> Thread:
        if not self._threads:  # what runs by now (servers of the world) is not the handler's
            self._known_threads.update(threading.enumerate())
        self._threads.append(thread := Thread(self.here))
        return thread

    def _run(self, task: Task, thread: Thread) -> None:
        self.watchdog.holder = threading.get_ident()
        try:
            if not self.is_over and not task.is_over:
                task.run()
        except InvocationEnded:
            pass
        except BaseException as error:  # noqa: BLE001 - the driver raises it
            self._error = self._error or error
        if self._drawing is task:
            self._drawing = None
        if not self.is_over:
            self._idle.append(thread)
            self._pass_on()

    def _lend_baton(self) -> None:
        try:
            self.watchdog.check_moment()
            self._pass_on()
            self.watchdog.wait_for(self._baton)
        except HandlerStuck:
            self._abandon_latest()
            raise

    def _abandon_latest(self) -> None:
        self.is_over = True
        if self._latest.sandbox is not None:
            self._latest.sandbox.abort()
        stop_thread(self.watchdog.holder, InvocationEnded)
        self._become(self.driver)
