"""Tasks: every invocation, branch and outside party of a run, of which one runs at a time."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol

from dacapo.process.randomness import Stream


class InvocationEnded(BaseException):
    """Raised in the threads of an invocation that has ended, so that they unwind."""


class Blocked(Protocol):
    """Something that a task waits for."""

    def wake(self) -> None:
        """Let the task go on."""


class Sandbox:
    """The execution environment of one invocation: its tasks end with it."""

    def __init__(self) -> None:
        self.is_over = False
        self.is_replayed = False
        """Whether its handler is durable, so that its body runs again and again."""
        self.blocked: dict[Blocked, None] = {}
        self.on_check: Callable[[], None] = lambda: None
        """Runs whenever a task of the invocation passes a point at which it can lose the baton."""
        self.on_exit: Callable[[int], None] = lambda _: None
        """Runs when the handler ends its process, with the exit status."""
        self.on_abort: list[Callable[[], None]] = []
        """Run when a task is stuck, to release threads that wait for something real."""

    def end(self) -> None:
        """End the invocation: each of its tasks is woken, and raises `InvocationEnded`."""
        self.is_over = True
        for waiter in list(self.blocked):
            waiter.wake()

    def abort(self) -> None:
        """End the invocation, of which a task is stuck."""
        self.end()
        for release in self.on_abort:
            release()


class Turn(Enum):
    """Turn of a task that waited: when it goes on."""

    AS_BEGINNING = "as if it began"
    BY_SEED = "as the seed decides"
    AFTER_BEGINNINGS = "when every task that was started has begun"


class Task:
    """One invocation, branch or outside party.

    Parameters:
        name: for messages.
        key: its identity in the run: with the seed and the time, it decides when the task goes on.
        stream: its randomness.
        sandbox: the invocation that it belongs to; None for an outside party.
        caller: in whose name it calls the service; see `service.callers`.
    """

    __slots__ = (
        *("caller", "is_branch", "is_in_step", "key"),
        *("name", "run", "sandbox", "stream", "turns"),
    )

    def __init__(
        self,
        name: str,
        key: str,
        stream: Stream,
        sandbox: Sandbox | None = None,
        caller: Any = None,
    ) -> None:
        self.name = name
        self.key = key
        self.turns = 0
        """How often it could have passed the baton on, since its invocation began."""
        self.stream = stream
        self.sandbox = sandbox
        self.caller = caller
        self.is_branch = False
        self.is_in_step = False
        self.run: Callable[[], None] = lambda: None

    @property
    def is_over(self) -> bool:
        """True if the invocation that it belongs to has ended."""
        return self.sandbox is not None and self.sandbox.is_over
