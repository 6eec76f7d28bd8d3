"""Send email through SES, one recipient at a time.

SES accepts no idempotency token, so a sender that crashes after an email and is retried sends it
again: at least once. Every email carries an idempotency key that stays the same across retries, so
that receivers can discard duplicates.
"""

from __future__ import annotations

import hashlib
import os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from patterns.transient import STEP_CLIENT, is_transient, name_of

SENDER_VARIABLE = "MAIL_SENDER"
"""Environment variable with the sender's email address."""

# One attempt: SES may have sent the email although its reply is lost. The step's retry carries the
# same idempotency key, and shows in the execution's history.
client = boto3.client("sesv2", config=STEP_CLIENT.merge(Config(retries={"total_max_attempts": 1})))


class MailRefused(Exception):  # noqa: N818 - says what it is
    """SES permanently refuses to send this email."""


def send(to: str, subject: str, text: str, key: str) -> None:
    """Send an email.

    Parameters:
        to: one email address.
        key: idempotency key; up to 256 letters, digits, `_`, and `-`.

    Raises:
        MailRefused: SES permanently refuses to send it. The message omits the address, which SES's
            own error may contain, because errors end up in histories and logs.
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
        raise MailRefused(f"SES refused the email: {name_of(error)}") from None


def key(cause: str, name: str) -> str:
    """Return the idempotency key of a side effect, 64 hexadecimal digits.

    Parameters:
        cause: what causes the side effect, for example an execution's ARN.
        name: name of the side effect, unique within its cause.
    """
    return hashlib.sha256(f"{cause} {name}".encode()).hexdigest()
