"""What a callback can be answered with, as it is sent and as it is recognised again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from aws_durable_execution_sdk_python import CallbackError, CallbackExternalError


@dataclass(frozen=True)
class Answer:
    """What a callback is answered with: a result, or the API's `Error` structure, as JSON text."""

    kind: Literal["success", "failure"]
    body: str

    @property
    def digest(self) -> str:
        """Tells this answer from any other."""
        return hashlib.sha256(f"{self.kind} {self.body}".encode()).hexdigest()


def success(value: Any) -> Answer:
    """An answer that the handler gets as the result of its wait, as JSON text."""
    return Answer("success", json.dumps(value, sort_keys=True))


def failure(message: str, error_type: str) -> Answer:
    """An answer that ends the handler's wait with a `CallbackExternalError`."""
    error = {"ErrorMessage": message, "ErrorType": error_type}
    return Answer("failure", json.dumps(error, sort_keys=True))


def received(result: str | None = None, error: CallbackError | None = None) -> Answer | None:
    """The answer that a handler got: what its wait returned or raised; None for a timeout."""
    if isinstance(error, CallbackExternalError):
        return failure(error.message or "", error.error_type or "")
    if result is None:
        return None
    try:
        return success(json.loads(result))
    except (ValueError, RecursionError):  # given by hand
        return Answer("success", result)
