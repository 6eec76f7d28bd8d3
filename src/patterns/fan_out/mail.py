"""Confirm to a seller that a job is posted: a plain function that the bookkeeping invokes.

It is a separate function because it may do what its caller may not: read the seller's address.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from patterns import mails
from patterns.fan_out import logic, postings
from patterns.transient import TransientError, is_transient, name_of

logger = Logger(service="postings")


def handler(event: dict[str, Any], _: LambdaContext) -> dict[str, bool]:
    """Send a confirmation to the seller of a posting.

    Parameters:
        event: the posting, a `logic.Announcement`.

    Returns:
        `{"is_sent": …}`: False if the posting no longer exists.

    Raises:
        InvalidPosting: the event isn't a valid posting.
        MailRefused: SES rejects this address permanently.
        TransientError: the email can't be sent now; invoke the function again.
    """
    posting = logic.parse_announcement(event)
    try:
        return {"is_sent": _confirm(posting)}
    except (ClientError, BotoCoreError) as error:
        # The caller sees an error's class and message, not its status.
        if not is_transient(error):
            raise
        logger.warning("not sent yet", posting=posting.posting_id, reason=name_of(error))
        raise TransientError(f"the email can't be sent now: {name_of(error)}") from None


def _confirm(posting: logic.Announcement) -> bool:
    seller = postings.seller_of(posting)
    if seller is None:
        return False
    subject, text = logic.confirmation_of(posting)
    mails.send(seller, subject, text, mails.key(posting.posting_id, "confirmation"))
    return True
