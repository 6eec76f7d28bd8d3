"""What a callback can be answered with, as it is sent and as it is recognised again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from aws_durable_execution_sdk_python import CallbackError, CallbackExternalError


@dataclass(frozen=True)
class Answer:
    """What a callback is answered with.

    Parameters:
        body: a result, or the API's `Error` structure, as JSON text.
        says: what tells it from any other of its kind, and is still known when it has arrived.
    """

    kind: Literal["success", "failure"]
    body: str
    says: str

    @property
    def digest(self) -> str:
        """Tells this answer from any other."""
        return hashlib.sha256(f"{self.kind} {self.says}".encode()).hexdigest()


def success(value: Any) -> Answer:
    """An answer that the handler gets as the result of its wait, as JSON text."""
    body = json.dumps(value, sort_keys=True)
    return Answer("success", body, says=body)


def failure(message: str, error_type: str) -> Answer:
    """An answer that ends the handler's wait with a `CallbackExternalError`."""
    error = {"ErrorMessage": message, "ErrorType": error_type}
    # The SDK's error has the message, but not the type: two failures that say the same are one.
    return Answer("failure", json.dumps(error, sort_keys=True), says=message)


def received(result: str | None = None, error: CallbackError | None = None) -> Answer | None:
    """The answer that a handler got: what its wait returned or raised; None for a timeout."""
    if isinstance(error, CallbackExternalError):
        return failure(error.message or "", "")
    if result is None:
        return None
    try:
        return success(json.loads(result))
    except (ValueError, RecursionError):  # given by hand
        return Answer("success", result, says=result)
