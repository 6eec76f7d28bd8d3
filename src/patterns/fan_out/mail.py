"""Writes to a seller that the leed is posted: a plain function, which the bookkeeping invokes.

It is a function of its own because it may do what its caller may not: read who the seller is.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from patterns import mails
from patterns.fan_out import leeds, logic
from patterns.transient import TransientError, is_transient, name_of

logger = Logger(service="leeds")


def handler(event: dict[str, Any], _: LambdaContext) -> dict[str, bool]:
    """Write to the seller of a leed.

    Parameters:
        event: the leed, as `logic.Announcement` has it.

    Returns:
        `{"is_sent": …}`: false if the leed is gone.

    Raises:
        InvalidLeed: the event is no leed.
        MailRefused: SES won't write to this address.
        TransientError: it can't be done now; invoke again.
    """
    leed = logic.announcement_of(event)
    try:
        return {"is_sent": _confirm(leed)}
    except (ClientError, BotoCoreError) as error:
        # Whoever invokes sees an error's class and message, not its status.
        if not is_transient(error):
            raise
        logger.warning("not sent yet", leed=leed.leed_id, reason=name_of(error))
        raise TransientError(f"the mail can't be sent now: {name_of(error)}") from None


def _confirm(leed: logic.Announcement) -> bool:
    seller = leeds.seller_of(leed)
    if seller is None:
        return False
    subject, text = logic.confirmation_of(leed)
    mails.send(seller, subject, text, mails.key(leed.leed_id, "confirmation"))
    return True
