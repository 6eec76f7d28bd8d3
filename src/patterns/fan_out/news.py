"""Tells one subscriber of one leed."""

from __future__ import annotations

from patterns import mails
from patterns.fan_out import logic, subscribers
from patterns.fan_out.logic import Announcement


def tell(leed: Announcement, subscriber: str) -> bool:
    """Write to a subscriber.

    The address is looked up only now: it stays out of what is recorded of the execution, and who
    has unsubscribed since the list was read is left in peace.

    Returns:
        Whether there was still somebody to write to.

    Raises:
        MailRefused: SES won't write to this address.
        ClientError: it can't now.
    """
    address = subscribers.address_of(leed.trade, subscriber)
    if address is None:
        return False
    subject, text = logic.news_of(leed)
    mails.send(address, subject, text, mails.key(leed.leed_id, f"news {subscriber}"))
    return True
