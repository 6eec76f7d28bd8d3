"""Who does something to the service at a moment: a function, or somebody outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


def _nothing() -> None:
    pass


class Actors:
    """Those who act, one inside the other: a handler calls a function, which answers a callback."""

    def __init__(self) -> None:
        self._acting: list[tuple[str, str, Callable[[], None]]] = []

    @contextmanager
    def acting(
        self, name: str, execution: str = "", settle: Callable[[], None] = _nothing
    ) -> Iterator[None]:
        """While this lasts, whatever is done to the service is done by `name`.

        Parameters:
            name: a function, or whoever else acts.
            execution: the ARN of the execution that it acts for; "" for none.
            settle: brings to the service what the actor has done and the SDK still holds back.
        """
        self._acting.append((name, execution, settle))
        try:
            yield
        finally:
            self._acting.pop()

    def name(self) -> str:
        """Who acts at this moment; "" for nobody in particular."""
        return self._acting[-1][0] if self._acting else ""

    def execution(self) -> str:
        """The ARN of the execution that is acted for at this moment; "" for none."""
        return self._acting[-1][1] if self._acting else ""

    def settle(self) -> None:
        """Bring what the running handler has done so far to the service, before it does more.

        The SDK sends some checkpoints in the background. Without this, whether such a checkpoint
        or the call that follows it reaches the service first would be a matter of threads.
        """
        if self._acting:
            self._acting[-1][2]()
