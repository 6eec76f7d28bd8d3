"""The callback registry: every callback is answered exactly once, and no answer is lost.

The durable service accepts one answer per callback, so it decides which one wins. It can't remember
an answer for a sender that crashes after receiving it and before sending it on. The registry can.
It keeps one row per callback (in `table`) and follows five steps:

1. *put*: before the job starts, the submitter writes the row. Its state is OPEN.
2. *intend*: the sender records the answer's digest. The state is INTENT.
3. *send*: the sender sends the answer to the durable service.
4. *mark*: the sender sets the state to DONE, or to CLOSED if the callback was closed first.
5. *close*: after the wait, the handler closes the row in a step of its own. It records which answer
   it received, because the service reports only that a callback is closed, not what closed it.

The sender is the webhook, the event resolver, or the approval page. If it crashes between any two
steps, nothing is lost: the answer is redelivered, its digest matches, and it is sent again. The
same answer twice is fine; a different one is rejected. If an answer can't be sent now, `NotSentYet`
makes the caller redeliver it.

No log message and no error contains a reference or a callback ID: either is enough to answer the
callback.
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

from patterns.callbacks import table
from patterns.callbacks.answers import Answer
from patterns.callbacks.table import Row, State
from patterns.transient import TransientError, name_of

SEND_TIMEOUT_SECONDS = 5
"""Connect and read timeout of a call to the durable service."""

logger = logging.getLogger(__name__)

# One attempt: a retry inside the client would hide that an earlier attempt succeeded, and the
# protocol depends on knowing that.
lambda_client = boto3.client(
    "lambda",
    config=Config(
        connect_timeout=SEND_TIMEOUT_SECONDS,
        read_timeout=SEND_TIMEOUT_SECONDS,
        retries={"total_max_attempts": 1},
    ),
)


class Outcome(StrEnum):
    """Outcome of an answer or a heartbeat."""

    SENT = "sent"
    ALREADY_SENT = "already sent"
    CONFLICT = "rejected: a different answer was sent first"
    CLOSED = "too late: the callback is closed"
    EXPIRED = "too late: the callback has expired"
    STALE = "ignored: predates the wait"
    UNKNOWN = "ignored: no callback is waiting"


class NotSentYet(TransientError):  # noqa: N818 - not a fault: it asks the caller to redeliver
    """The durable service can't accept an answer or a heartbeat now; redeliver it."""


class ReferenceInUse(Exception):  # noqa: N818
    """Another execution is waiting under this reference."""


def put(
    reference: str, callback_id: str, *, owner: str, deadline: float, not_before: float
) -> None:
    """Open a row for a callback. Idempotent for the same callback.

    Parameters:
        reference: key that an answer has to name.
        owner: ARN of the execution that waits.
        deadline: time when the callback times out at the latest, epoch seconds.
        not_before: an answer about an earlier event is stale, epoch seconds.

    Raises:
        ReferenceInUse: another execution is waiting under this reference.
    """
    row = Row(State.OPEN, callback_id, owner, deadline, not_before)
    existing = table.open_row(reference, row, time.time())
    if existing is not None and existing.callback_id != callback_id:
        raise ReferenceInUse("another execution is already waiting for this answer")


def answer(reference: str, answer: Answer, *, about: float | None = None) -> Outcome:
    """Answer the callback with this reference: intend, send, mark.

    Parameters:
        about: time of the event that the answer reports, epoch seconds; None for now.

    Raises:
        NotSentYet: the service can't accept the answer now; redeliver it.
    """
    now = time.time()
    about = now if about is None else about
    may_send, row = table.record_intent(reference, answer.digest, now=now, about=about)
    if row is None:
        return Outcome.UNKNOWN
    if not may_send:
        return _rejection(row, answer, about)
    outcome = _send(_call_for(answer, row.callback_id))
    if outcome is Outcome.CLOSED:
        outcome = _closed_outcome(reference, answer, row)
    if outcome is Outcome.SENT:
        table.mark(reference, row.callback_id, State.DONE)
    elif outcome is Outcome.CLOSED:
        table.mark(reference, row.callback_id, State.CLOSED)
        logger.error("an answer arrived for a closed callback")
    return outcome


def heartbeat(reference: str) -> Outcome:
    """Send a heartbeat, which restarts the heartbeat timeout of the wait.

    Raises:
        NotSentYet: the service can't accept the heartbeat now; send it again.
    """
    row = table.read(reference)
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


def close(reference: str, *, owner: str, received: Answer | None) -> None:
    """Close the row of a finished wait, if it exists and belongs to this owner.

    Parameters:
        owner: ARN of the execution that waited.
        received: the answer that ended the wait; None if none arrived.
    """
    table.close_row(reference, owner, received.digest if received else "")


def _rejection(row: Row, answer: Answer, about: float) -> Outcome:
    if about < row.not_before:
        return Outcome.STALE
    if row.state is State.OPEN:
        return Outcome.EXPIRED
    if row.state is State.CLOSED:
        return _ended_outcome(row, answer)
    return Outcome.ALREADY_SENT if row.digest == answer.digest else Outcome.CONFLICT


def _ended_outcome(row: Row, answer: Answer) -> Outcome:
    if not row.ended_with:
        return Outcome.CLOSED
    return Outcome.ALREADY_SENT if row.ended_with == answer.digest else Outcome.CONFLICT


def _closed_outcome(reference: str, answer: Answer, row: Row) -> Outcome:
    latest = table.read(reference)
    if latest is None or latest.callback_id != row.callback_id:
        return Outcome.CLOSED
    if latest.state is State.DONE:
        return Outcome.ALREADY_SENT
    if latest.state is State.CLOSED:
        return _ended_outcome(latest, answer)
    # Either an earlier delivery of this answer or a timeout closed the callback. Both resumed the
    # handler, which is about to record which one it was.
    if latest.deliveries > 1 and time.time() < latest.deadline:
        raise NotSentYet("the callback is closed; the handler is about to record what closed it")
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
        raise NotSentYet(f"the service did not accept it: {name_of(error)}") from None
    return Outcome.SENT


def _call_for(answer: Answer, callback_id: str) -> Callable[[], object]:
    if answer.kind == "success":
        return partial(
            lambda_client.send_durable_execution_callback_success,
            CallbackId=callback_id,
            Result=answer.body,
        )
    return partial(
        lambda_client.send_durable_execution_callback_failure,
        CallbackId=callback_id,
        Error=json.loads(answer.body),
    )
