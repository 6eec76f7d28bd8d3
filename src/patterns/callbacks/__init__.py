"""The callback registry: every callback is answered exactly once, and no answer is lost.

A handler waits with `wait_for_answer`; the function that receives an answer passes it to `answer`.
"""

from patterns.callbacks.answers import (
    MAX_BODY_BYTES,
    Answer,
    AnswerTooLarge,
    failure,
    received,
    success,
)
from patterns.callbacks.registry import Outcome, ReferenceInUse, answer, close, heartbeat, put
from patterns.callbacks.service import NotSentYet
from patterns.callbacks.waiting import InvalidAnswer, wait_for_answer

__all__ = [
    "MAX_BODY_BYTES",
    "Answer",
    "AnswerTooLarge",
    "InvalidAnswer",
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
    "wait_for_answer",
]
