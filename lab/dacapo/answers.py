"""What an outside party sends to a callback, and when.

An answer is a series of sends, each some virtual time after the callback was made. Answers add
up: `heartbeats(every=minute, times=3) + succeed("done", after=5 * minute)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from aws_durable_execution_sdk_python.lambda_service import Operation

_AT_ONCE = timedelta(0)


@dataclass(frozen=True)
class Send:
    """One call of the callback API.

    Parameters:
        kind: which call.
        after: virtual time since the callback was made.
        result: the payload of a success.
        error: the error of a failure, in the API's shape (`ErrorMessage`, `ErrorType`, …).
    """

    kind: Literal["success", "failure", "heartbeat"]
    after: timedelta
    result: bytes = b""
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Answer:
    """A series of sends to one callback; add two answers to get both."""

    sends: tuple[Send, ...] = ()

    def __add__(self, other: Answer) -> Answer:
        return Answer(self.sends + other.sends)


Answers = Answer | Sequence[Answer] | Callable[[Operation], Answer]
"""How the callbacks of one name are answered: all of them alike, one after the other in the order
in which they were made, or as a function of the callback operation says."""

_NOTHING = object()


def succeed(
    value: Any = _NOTHING, *, after: timedelta = _AT_ONCE, raw: bytes | None = None
) -> Answer:
    """Answer with a success.

    Parameters:
        value: the result, sent as JSON; left out for an empty payload.
        after: virtual time since the callback was made.
        raw: the payload as it goes over the wire, instead of `value`.
    """
    if raw is None:
        raw = b"" if value is _NOTHING else json.dumps(value).encode()
    return Answer((Send("success", after, result=raw),))


def fail(
    message: str,
    *,
    error_type: str | None = None,
    data: str | None = None,
    after: timedelta = _AT_ONCE,
) -> Answer:
    """Answer with a failure.

    Parameters:
        message, error_type, data: the error's ErrorMessage, ErrorType and ErrorData.
        after: virtual time since the callback was made.
    """
    members = {"ErrorMessage": message, "ErrorType": error_type, "ErrorData": data}
    error = {member: value for member, value in members.items() if value is not None}
    return Answer((Send("failure", after, error=error),))


def heartbeats(*, every: timedelta, times: int) -> Answer:
    """Send `times` heartbeats, the first one after `every`, then fall silent."""
    return Answer(tuple(Send("heartbeat", every * n) for n in range(1, times + 1)))


def never() -> Answer:
    """Send nothing: whoever should answer does not."""
    return Answer()


def answer_for(answers: Answers | None, number: int, operation: Operation) -> Answer:
    """The answer to the callback that is the `number`th (from 0) of its name."""
    match answers:
        case None:
            return Answer()
        case Answer():
            return answers
        case Sequence():
            return answers[number] if number < len(answers) else Answer()
        case _:
            return answers(operation)
