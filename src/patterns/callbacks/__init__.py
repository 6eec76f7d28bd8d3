"""The callback registry: every callback is answered exactly once, and no answer is lost."""

from patterns.callbacks.answers import Answer, failure, received, success
from patterns.callbacks.registry import (
    NotSentYet,
    Outcome,
    ReferenceInUse,
    answer,
    close,
    heartbeat,
    put,
)

__all__ = [
    "Answer",
    "NotSentYet",
    "Outcome",
    "ReferenceInUse",
    "answer",
    "close",
    "failure",
    "heartbeat",
    "put",
    "received",
    "success",
]
