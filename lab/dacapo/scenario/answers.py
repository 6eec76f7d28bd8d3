"""Answers to callbacks: series of calls of the callback API.

Each call is some virtual time after the callback was created. Answers can be added:
`heartbeats(every=minute, times=3) + succeed("done", after=5 * minute)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import Operation

from dacapo.scenario.checks import check_after, check_positive, require
from dacapo.service.callbacks import DeliveryKind

_AT_ONCE = timedelta(0)


@dataclass(frozen=True)
class Send:
    """One call of the callback API.

    Parameters:
        kind: kind of the call.
        after: virtual time since the callback was created.
        result: payload of a success.
        error: error of a failure, in the API's shape (`ErrorMessage`, `ErrorType`, …).
    """

    kind: DeliveryKind
    after: timedelta
    result: bytes = b""
    error: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        check_after(self.after, "after")


@dataclass(frozen=True)
class Answer:
    """A series of calls of the callback API for one callback; add two answers to get both."""

    sends: tuple[Send, ...] = ()

    def __add__(self, other: Answer) -> Answer:
        return Answer(self.sends + other.sends)


Answers = Answer | Sequence[Answer] | Callable[[Operation], Answer]
"""Answers to the callbacks of one name: one answer for all, one for each in the order of their
creation, or a function of the callback operation."""

_NOTHING = object()


def succeed(
    value: Any = _NOTHING, *, after: timedelta = _AT_ONCE, raw: bytes | None = None
) -> Answer:
    """Answer a callback with a success.

    Parameters:
        value: the result, sent as JSON; omit it to send an empty payload.
        after: virtual time since the callback was created.
        raw: the payload as bytes, instead of `value`.
    """
    if raw is None:
        raw = b"" if value is _NOTHING else json.dumps(value).encode()
    return Answer((Send(DeliveryKind.SUCCESS, after, result=raw),))


def fail(
    message: str,
    *,
    error_type: str | None = None,
    data: str | None = None,
    after: timedelta = _AT_ONCE,
) -> Answer:
    """Answer a callback with a failure.

    Parameters:
        message, error_type, data: the error's ErrorMessage, ErrorType and ErrorData.
        after: virtual time since the callback was created.
    """
    members = {"ErrorMessage": message, "ErrorType": error_type, "ErrorData": data}
    error = {member: value for member, value in members.items() if value is not None}
    return Answer((Send(DeliveryKind.FAILURE, after, error=error),))


def heartbeats(*, every: timedelta, times: int) -> Answer:
    """Send `times` heartbeats, the first one after `every`, and then nothing.

    Parameters:
        every: virtual time between two heartbeats; more than 0.
        times: how many; 0 or more.

    Raises:
        ScenarioError: `every` or `times` is out of range.
    """
    check_positive(every, "every")
    require(times >= 0, f"times must be 0 or more, not {times!r}")
    return Answer(tuple(Send(DeliveryKind.HEARTBEAT, every * n) for n in range(1, times + 1)))


def never() -> Answer:
    """Send nothing: the callback gets no answer."""
    return Answer()


def answer_for(answers: Answers | None, number: int, operation: Operation) -> Answer:
    """Return the answer to callback number `number` (from 0) of its name."""
    match answers:
        case None:
            return Answer()
        case Answer():
            return answers
        case Sequence():
            return answers[number] if number < len(answers) else Answer()
        case _:
            return answers(operation)
