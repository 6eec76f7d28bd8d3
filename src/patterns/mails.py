"""Mail through SES, one to one person at a time.

SES takes no idempotency token, so who dies after a mail and comes again sends again. Each mail
carries a key that stays the same, by which a receiver can tell.
"""

from __future__ import annotations

import hashlib
import os

import boto3
from botocore.exceptions import ClientError

from patterns.transient import is_transient, name_of

SENDER_VARIABLE = "MAIL_SENDER"
"""Names the environment variable that holds the address to send from."""

client = boto3.client("sesv2")


class MailRefused(Exception):  # noqa: N818 - says what it is
    """SES won't send this mail, however often it is asked to."""


def send(to: str, subject: str, text: str, key: str) -> None:
    """Send a mail.

    Parameters:
        to: one address.
        key: the same for the same mail; letters, digits, `_` and `-`, at most 256.

    Raises:
        MailRefused: SES refused it for good. The address is no part of the message: SES's own
            error may hold it, and errors are kept in histories and logs.
        ClientError: SES can't send it now.
    """
    try:
        client.send_email(
            FromEmailAddress=os.environ[SENDER_VARIABLE],
            Destination={"ToAddresses": [to]},
            Content={"Simple": {"Subject": {"Data": subject}, "Body": {"Text": {"Data": text}}}},
            EmailTags=[{"Name": "idempotency-key", "Value": key}],
        )
    except ClientError as error:
        if is_transient(error):
            raise
        raise MailRefused(f"SES refused the mail: {name_of(error)}") from None


def key(cause: str, name: str) -> str:
    """The idempotency key of one effect among those that something caused.

    Parameters:
        cause: an execution's ARN, for example.
        name: which effect of it.
    """
    return hashlib.sha256(f"{cause} {name}".encode()).hexdigest()
