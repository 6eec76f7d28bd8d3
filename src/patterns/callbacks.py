"""The callback registry: a callback id is stored, found again, answered once, and never lost.

The durable service is the arbiter of "once": it takes one answer per callback. What it can't do is
remember an answer for a sender that dies between hearing of it and sending it. The registry does.
It has one row per callback (`callback_rows`, `callback_writes`), and five moves:

1. *put*, by the submitter, before the job starts: the row is OPEN.
2. *intend*, by whoever brings an answer: the row says INTENT, and the answer's digest.
3. *send* the answer to the durable service.
4. *mark* the row DONE; or CLOSED if the callback was closed before the answer came.
5. *close*, by the handler, in a step of its own, once it is through with the wait. It writes down
   which answer it got, for the service says only that a callback is closed, not what closed it.

A crash between any two of them is harmless: whoever brought the answer brings it again, finds its
own digest, and sends again. The same answer twice is fine; another one is refused. An answer that
can't be sent now raises `NotSentYet`, so that its sender delivers it again.

Neither a reference nor a callback id is ever logged, or part of an error: who knows one can answer.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from enum import StrEnum
from functools import partial

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from patterns import callback_rows, callback_writes
from patterns.callback_answers import Answer
from patterns.callback_rows import Row, State
from patterns.transient import TransientError, name_of

SEND_TIMEOUT_SECONDS = 5

logger = logging.getLogger(__name__)

# One attempt: a retry inside the client would hide that an earlier attempt had landed, and the
# protocol has to know.
lambda_client = boto3.client(
    "lambda",
    config=Config(
        connect_timeout=SEND_TIMEOUT_SECONDS,
        read_timeout=SEND_TIMEOUT_SECONDS,
        retries={"total_max_attempts": 1},
    ),
)


class Outcome(StrEnum):
    """What became of an answer."""

    SENT = "sent"
    ALREADY_SENT = "sent before"
    OTHER_ANSWER = "refused: another answer was given"
    CLOSED = "too late: the callback is closed"
    EXPIRED = "too late: the callback has expired"
    STALE = "ignored: older than the wait"
    UNKNOWN = "ignored: nobody waits"


class NotSentYet(TransientError):  # noqa: N818 - no fault: the sender is asked to come again
    """The answer is recorded but could not be sent; deliver it again."""


class ReferenceTaken(Exception):  # noqa: N818
    """Another execution waits under this reference."""


def put(
    reference: str, callback_id: str, *, owner: str, deadline: float, not_before: float
) -> None:
    """Open a row for a callback; the same callback twice is fine.

    Parameters:
        reference: what an answer will name.
        owner: the ARN of the execution that waits.
        deadline: when the callback times out at the latest, epoch seconds.
        not_before: an answer about anything earlier is stale, epoch seconds.

    Raises:
        ReferenceTaken: another execution waits under this reference.
    """
    row = Row(State.OPEN, callback_id, owner, deadline, not_before)
    in_the_way = callback_writes.open_row(reference, row, time.time())
    if in_the_way is not None and in_the_way.callback_id != callback_id:
        raise ReferenceTaken("another execution waits for this answer already")


def answer(reference: str, given: Answer, *, about: float | None = None) -> Outcome:
    """Answer the callback under a reference: intend, send, mark.

    Parameters:
        about: when that happened which the answer is about, epoch seconds; None for just now.

    Raises:
        NotSentYet: the service can't take the answer now; deliver it again.
    """
    now = time.time()
    about = now if about is None else about
    may_send, row = callback_writes.record_intent(reference, given.digest, now=now, about=about)
    if row is None:
        return Outcome.UNKNOWN
    if not may_send:
        return _why_refused(row, given, about)
    outcome = _send(_sending(given, row.callback_id))
    if outcome is Outcome.CLOSED:
        outcome = _what_closed_it(reference, given, row)
    if outcome is Outcome.SENT:
        callback_writes.mark(reference, row.callback_id, State.DONE)
    elif outcome is Outcome.CLOSED:
        callback_writes.mark(reference, row.callback_id, State.CLOSED)
        logger.error("an answer came to a callback that is closed")
    return outcome


def heartbeat(reference: str) -> Outcome:
    """Say that the answer is on its way, so that the wait's heartbeat timeout starts anew.

    Raises:
        NotSentYet: the service can't take it now; send it again.
    """
    row = callback_rows.read(reference)
    if row is None:
        return Outcome.UNKNOWN
    if row.state in (State.DONE, State.CLOSED):
        return Outcome.CLOSED
    if row.deadline <= time.time():
        return Outcome.EXPIRED
    call = partial(
        lambda_client.send_durable_execution_callback_heartbeat, CallbackId=row.callback_id
    )
    return _send(call)


def close(reference: str, *, owner: str, got: Answer | None) -> None:
    """Close the row of a wait that is over; a row that is gone, or another's, is left alone.

    Parameters:
        got: the answer that ended the wait; None if none did.
    """
    callback_writes.close_row(reference, owner, got.digest if got else "")


def _why_refused(row: Row, given: Answer, about: float) -> Outcome:
    if about < row.not_before:
        return Outcome.STALE
    if row.state is State.OPEN:
        return Outcome.EXPIRED
    if row.state is State.CLOSED:
        return _how_it_ended(row, given)
    return Outcome.ALREADY_SENT if row.digest == given.digest else Outcome.OTHER_ANSWER


def _how_it_ended(row: Row, given: Answer) -> Outcome:
    if not row.ended_with:
        return Outcome.CLOSED
    return Outcome.ALREADY_SENT if row.ended_with == given.digest else Outcome.OTHER_ANSWER


def _what_closed_it(reference: str, given: Answer, row: Row) -> Outcome:
    latest = callback_rows.read(reference)
    if latest is None or latest.callback_id != row.callback_id:
        return Outcome.CLOSED
    if latest.state is State.DONE:
        return Outcome.ALREADY_SENT
    if latest.state is State.CLOSED:
        return _how_it_ended(latest, given)
    # An earlier delivery of this answer may have closed the callback, or a timeout. The handler was
    # woken by either, and is about to write down which.
    if latest.deliveries > 1 and time.time() < latest.deadline:
        raise NotSentYet("the callback is closed; what closed it will be known in a moment")
    return Outcome.CLOSED


def _send(call: Callable[[], object]) -> Outcome:
    try:
        call()
    except (
        lambda_client.exceptions.CallbackTimeoutException,
        lambda_client.exceptions.ResourceNotFoundException,
        lambda_client.exceptions.InvalidParameterValueException,
    ):
        return Outcome.CLOSED
    except (ClientError, BotoCoreError) as error:
        raise NotSentYet(f"the service did not take it: {name_of(error)}") from None
    return Outcome.SENT


def _sending(given: Answer, callback_id: str) -> Callable[[], object]:
    if given.kind == "success":
        return partial(
            lambda_client.send_durable_execution_callback_success,
            CallbackId=callback_id,
            Result=given.body,
        )
    return partial(
        lambda_client.send_durable_execution_callback_failure,
        CallbackId=callback_id,
        Error=json.loads(given.body),
    )
