"""Answers to a callback: how they are sent, and how a duplicate is recognized."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from aws_durable_execution_sdk_python import CallbackExternalError

MAX_BODY_BYTES = 128 * 1024
"""Size of an answer's body that the registry accepts.

The service takes 1 MiB, but an item of DynamoDB at most 400 KB, and an answer is recorded in one
before it is sent. Send larger results as a claim check: store them, and answer with their location.
"""

Kind = Literal["success", "failure"]


class AnswerTooLarge(ValueError):  # noqa: N818 - says what it is
    """The body of an answer exceeds 128 KiB; nothing was recorded or sent."""


@dataclass(frozen=True)
class Answer:
    """An answer to a callback.

    Parameters:
        body: a result, or the API's `Error` structure, as JSON text.
        identity: the part that identifies the answer among those of its kind, and that the handler
            can still see.
    """

    kind: Kind
    body: str
    identity: str

    @property
    def digest(self) -> str:
        """SHA-256 that identifies this answer."""
        return hashlib.sha256(f"{self.kind} {self.identity}".encode()).hexdigest()

    def check_size(self) -> None:
        """Check that the registry can record this answer.

        Raises:
            AnswerTooLarge: it can't.
        """
        size = len(self.body.encode())
        if size > MAX_BODY_BYTES:
            raise AnswerTooLarge(f"the answer has {size:,} bytes, {MAX_BODY_BYTES:,} are accepted")


def success(value: Any) -> Answer:
    """Return an answer that the handler receives as the result of its wait, as JSON text."""
    body = json.dumps(value, sort_keys=True)
    return Answer("success", body, identity=body)


def failure(message: str, error_type: str) -> Answer:
    """Return an answer that ends the handler's wait with a `CallbackExternalError`."""
    error = {"ErrorMessage": message, "ErrorType": error_type}
    # The SDK's error has the message but not the type: failures with the same message are equal.
    return Answer("failure", json.dumps(error, sort_keys=True), identity=message)


WITHDRAWAL = failure("withdrawn: the job could not be submitted", "Withdrawn")
"""The answer with which a handler ends a wait of its own, so that no other one can."""


def is_withdrawal(message: str | None) -> bool:
    """Return whether a failure with this message is the handler's own."""
    return message == WITHDRAWAL.identity


def received(result: str | None = None, error: Exception | None = None) -> Answer | None:
    """Return the answer that a handler received, or None after a timeout.

    Parameters:
        result: what its wait returned.
        error: what its wait raised.
    """
    if isinstance(error, CallbackExternalError):
        return failure(error.message or "", "")
    if result is None:
        return None
    try:
        return success(json.loads(result))
    except (ValueError, RecursionError):  # sent by an operator
        return Answer("success", result, identity=result)
