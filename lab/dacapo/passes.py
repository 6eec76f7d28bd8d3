"""How a handler's body ran: line by line, once for each invocation."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from dacapo import places

_Trace = Callable[[FrameType, str, Any], Any]


@dataclass(frozen=True)
class Pass:
    """One time that the body ran, from its top.

    Parameters:
        started: in virtual time.
        lines: what ran of the handler's file, in order.
    """

    started: datetime
    lines: list[int] = field(default_factory=list)


@contextmanager
def watched(handler: Callable[..., Any]) -> Iterator[list[Pass]]:
    """While this lasts, collects how the body of a handler runs, in the threads made from now on.

    Raises:
        ValueError: the handler has no code of its own to watch.
    """
    place = places.of_function(handler)
    if place is None:
        raise ValueError(f"{handler!r} has no code to watch")
    passes: list[Pass] = []

    def line(frame: FrameType, event: str, _: Any) -> _Trace:
        lines = passes[-1].lines
        if event == "line" and lines[-1:] != [frame.f_lineno]:
            lines.append(frame.f_lineno)
        return line

    def call(frame: FrameType, _: str, __: Any) -> _Trace | None:
        code = frame.f_code
        if code.co_filename != place.file:
            return None
        if code.co_firstlineno == place.line:
            passes.append(Pass(datetime.now(UTC)))
        return line if passes else None

    before = threading.gettrace()
    threading.settrace(call)
    try:
        yield passes
    finally:
        threading.settrace(before)
