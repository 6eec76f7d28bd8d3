"""The caller behind each request to the service: a function, or a party outside the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dacapo.scheduling.scheduler import Scheduler


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Caller:
    """A caller of the service.

    Parameters:
        name: a function, or the outside party that calls.
        execution: ARN of the execution that it acts for; "" for none.
        flush: sends the caller's checkpoints that the SDK still holds back.
    """

    name: str = ""
    execution: str = ""
    flush: Callable[[], None] = _nothing


_NOBODY = Caller()


class Callers:
    """The caller of each task; a task that starts another one lends it its caller.

    Parameters:
        scheduler: runs the tasks, and flushes the current caller before another task goes on.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        scheduler.flush = self.flush

    @contextmanager
    def acting_as(self, caller: Caller) -> Iterator[None]:
        """Context manager that attributes every request of the current task to `caller`."""
        task = self._scheduler.current
        previous, task.caller = task.caller, caller
        try:
            yield
        finally:
            task.caller = previous

    def name(self) -> str:
        """Return the current caller's name; "" if there is none."""
        return self._current().name

    def execution(self) -> str:
        """Return the ARN of the execution that the current caller acts for; "" for none."""
        return self._current().execution

    def flush(self) -> None:
        """Store what the running handler has checkpointed so far, before it does more.

        The SDK sends some checkpoints in the background. Without this, threads would decide
        whether such a checkpoint or the API call that follows it reaches the service first.
        """
        self._current().flush()

    def _current(self) -> Caller:
        return self._scheduler.current.caller or _NOBODY
