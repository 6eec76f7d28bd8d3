"""The caller behind each request to the service: a function, or a party outside the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


def _nothing() -> None:
    pass


class Callers:
    """Stack of nested callers: a handler invokes a function, which answers a callback."""

    def __init__(self) -> None:
        self._stack: list[tuple[str, str, Callable[[], None]]] = []

    @contextmanager
    def acting_as(
        self, name: str, execution: str = "", flush: Callable[[], None] = _nothing
    ) -> Iterator[None]:
        """Context manager that attributes every request to `name`.

        Parameters:
            name: a function, or the outside party that calls.
            execution: ARN of the execution that it acts for; "" for none.
            flush: sends the caller's checkpoints that the SDK still holds back.
        """
        self._stack.append((name, execution, flush))
        try:
            yield
        finally:
            self._stack.pop()

    def name(self) -> str:
        """Return the current caller's name; "" if there is none."""
        return self._stack[-1][0] if self._stack else ""

    def execution(self) -> str:
        """Return the ARN of the execution that the current caller acts for; "" for none."""
        return self._stack[-1][1] if self._stack else ""

    def flush(self) -> None:
        """Store what the running handler has checkpointed so far, before it does more.

        The SDK sends some checkpoints in the background. Without this, threads would decide
        whether such a checkpoint or the API call that follows it reaches the service first.
        """
        if self._stack:
            self._stack[-1][2]()
