"""Notify one subscriber of one job posting."""

from __future__ import annotations

from patterns import mails
from patterns.fan_out import logic, subscribers
from patterns.fan_out.logic import Announcement


def notify(posting: Announcement, subscriber: str) -> bool:
    """Send a subscriber the news of a posting.

    The address is looked up as late as possible: it stays out of the execution's history, and
    people who have unsubscribed since the list was read receive no email.

    Returns:
        True if the email was sent, False if the subscriber has unsubscribed.

    Raises:
        MailRefused: SES rejects this address permanently.
        ClientError: the call to SES or DynamoDB failed, for example because of throttling.
    """
    address = subscribers.address_of(posting.trade, subscriber)
    if address is None:
        return False
    subject, text = logic.news_of(posting)
    mails.send(address, subject, text, mails.key(posting.posting_id, f"news {subscriber}"))
    return True
