"""The callback registry: every callback is answered exactly once, and no answer is lost.

The durable service accepts one answer per callback, so it decides which one wins. It can't remember
an answer for a sender that crashes after receiving it and before sending it on. The registry can.
It keeps one row per callback (in `table`) and follows five steps:

1. *put*: before the job starts, the submitter writes the row. Its state is OPEN.
2. *intend*: the sender records the answer. The state is INTENT.
3. *send*: the sender sends the recorded answer to the durable service.
4. *mark*: the sender sets the state to DONE, and removes the answer's body.
5. *close*: after the wait, the handler closes the row in a step of its own. It records which answer
   it received, because the service reports only that a callback is closed, not what closed it.

The sender is the webhook, the event resolver, or the approval page. A crash or an outage between
any two steps loses nothing: the row holds the answer, so it is sent by its redelivery, by the
delivery of any other answer, or by `overdue`. The same answer twice is fine; a different one is
rejected, once the first one has arrived. Until then, `NotSentYet` makes the caller redeliver.

Steps 4 and 5 are best effort, because neither decides an outcome: the service has already accepted
the answer. If both fail, `overdue` asks the service what closed the callback.

No log message and no error contains a reference or a callback ID: either is enough to answer the
callback. The body of an answer rests in the table from step 2 to step 4, or 5: seconds, or as long
as an outage lasts. DynamoDB encrypts it, like everything at rest; use a key of your own in KMS if
reading it must be restricted further.
"""

from __future__ import annotations

import logging
import time
from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError

from patterns.callbacks import service, table
from patterns.callbacks.answers import Answer
from patterns.callbacks.service import NotSentYet, Reply
from patterns.callbacks.table import Row, State
from patterns.transient import name_of

logger = logging.getLogger(__name__)


class Outcome(StrEnum):
    """Outcome of an answer or a heartbeat."""

    SENT = "sent"
    ALREADY_SENT = "already sent"
    CONFLICT = "rejected: a different answer was sent first"
    CLOSED = "too late: the callback is closed"
    EXPIRED = "too late: the callback has expired"
    STALE = "ignored: predates the wait"
    UNKNOWN = "ignored: no callback is waiting"


class ReferenceInUse(Exception):  # noqa: N818
    """Another execution is waiting under this reference."""


def put(
    reference: str, callback_id: str, *, owner: str, timeout: float, not_before: float = 0
) -> None:
    """Open a row for a callback. Idempotent for the same callback.

    Parameters:
        reference: key that an answer has to name.
        owner: ARN of the execution that waits.
        timeout: timeout of the callback, in seconds.
        not_before: an answer about an earlier event is stale, epoch seconds.

    Raises:
        ReferenceInUse: another execution is waiting under this reference.
    """
    now = time.time()
    # From now on, not from a time recorded earlier: the service counts from the creation of the
    # callback, and a row that expired before its callback would turn away an answer in time. A
    # retry keeps the row, and so the deadline.
    row = Row(State.OPEN, callback_id, owner, deadline=now + timeout, not_before=not_before)
    existing = table.open_row(reference, row, now)
    if existing is None or existing.callback_id == callback_id:
        return
    # A handler that was stopped, or whose table was out, has left its row open.
    if service.is_waiting(existing.owner) or table.open_row(
        reference, row, now, instead_of=existing.callback_id
    ):
        raise ReferenceInUse("another execution is already waiting for this answer")


def answer(reference: str, answer: Answer, *, about: float | None = None) -> Outcome:
    """Answer the callback with this reference: intend, send, mark.

    Parameters:
        about: time of the event that the answer reports, epoch seconds; None for now.

    Raises:
        NotSentYet: it isn't known yet whether the answer arrives; redeliver it.
        AnswerTooLarge: its body exceeds 128 KiB; nothing was recorded.
    """
    answer.check_size()
    now = time.time()
    about = now if about is None else about
    may_send, row = table.record_intent(reference, answer, now=now, about=about)
    if may_send and row is not None:
        return _send_recorded(reference, row)
    if row is not None and row.state is State.INTENT:
        # A different answer came first, and its sender may never redeliver it. It must not bar all
        # others: send it for its sender, and then say who won.
        _send_recorded(reference, row)
        row = table.read(reference)
    return Outcome.UNKNOWN if row is None else _rejection(row, answer.digest, about)


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
    reply = service.send_heartbeat(row.callback_id)
    return Outcome.SENT if reply is Reply.ACCEPTED else Outcome.CLOSED


def close(
    reference: str, callback_id: str, *, received: Answer | None, asks_again: bool = False
) -> None:
    """Close the row of a finished wait. Does nothing if it is the row of another wait by now.

    Parameters:
        callback_id: the wait's own callback.
        received: the answer that ended the wait; None if none arrived.
        asks_again: whether the handler is about to open the row for another wait, so that an answer
            in the meantime is redelivered instead of rejected.
    """
    state = State.BETWEEN if asks_again else State.CLOSED
    table.close_row(reference, callback_id, state, received.digest if received else "")


def settle(reference: str, row: Row) -> bool:
    """Send a recorded answer whose sender may have given up, or record what closed its callback.

    Returns:
        True if the row is no longer in INTENT.

    Raises:
        NotSentYet: the service can't accept the answer now.
    """
    reply = _send(reference, row)
    if reply is not Reply.CLOSED:
        return True
    # The handler knows what closed its callback, but it did not record it: its table was out, or
    # the execution was stopped. So ask the service. Only `overdue` may read histories, because they
    # contain everything: the functions that face the internet wait for its verdict.
    ended_with = service.what_closed(row.owner, row.callback_id)
    if ended_with is None:
        return False
    if ended_with != row.digest:
        logger.error("an answer arrived for a closed callback")
    table.close_row(reference, row.callback_id, State.CLOSED, ended_with)
    return True


def _send_recorded(reference: str, row: Row) -> Outcome:
    match _send(reference, row):
        case Reply.ACCEPTED:
            return Outcome.SENT
        case Reply.UNKNOWN:
            return Outcome.CLOSED
    latest = table.read(reference)
    if latest is None:
        return Outcome.CLOSED
    if latest.callback_id != row.callback_id or latest.state is State.INTENT:
        # An earlier delivery, another answer, or a timeout closed the callback. Guessing which one
        # would tell a sender of an accepted answer that it came too late, or the reverse.
        raise NotSentYet("the callback is closed; it is not recorded yet what closed it")
    return _rejection(latest, row.digest, time.time())


def _send(reference: str, row: Row) -> Reply:
    reply = service.send(row.answer_kind, row.answer_body, row.callback_id)
    if reply is Reply.ACCEPTED:
        _mark(reference, row, State.DONE)
    elif reply is Reply.UNKNOWN:
        logger.error("an answer arrived for a closed callback")
        _mark(reference, row, State.CLOSED)
    return reply


def _mark(reference: str, row: Row, state: State) -> None:
    try:
        table.mark(reference, row.callback_id, state)
    except (ClientError, BotoCoreError) as error:
        # The service has decided, so an error here must not ask for another delivery.
        logger.warning("row not marked: %s", name_of(error))


def _rejection(row: Row, digest: str, about: float) -> Outcome:
    if about < row.not_before:
        return Outcome.STALE
    match row.state:
        case State.OPEN:
            return Outcome.EXPIRED
        case State.BETWEEN:
            return _between(row)
        case State.CLOSED:
            first = row.ended_with
        case _:
            first = row.digest
    if not first:
        return Outcome.CLOSED
    return Outcome.ALREADY_SENT if first == digest else Outcome.CONFLICT


def _between(row: Row) -> Outcome:
    if row.deadline <= time.time():
        return Outcome.EXPIRED
    raise NotSentYet("the handler is about to wait for another answer")
