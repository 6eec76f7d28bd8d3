"""What leaves the house: events for other systems, and mails to people.

Neither EventBridge nor SES takes an idempotency token, so a step that comes again after a crash
sends again. Each event and each mail carries a key that stays the same, by which a receiver can
tell. Better twice than never: nobody is left without word of an order.
"""

from __future__ import annotations

import hashlib
import json
import os

import boto3

from patterns.approval.logic import Order
from patterns.transient import TransientError

BUS_VARIABLE = "EVENT_BUS"
SENDER_VARIABLE = "MAIL_SENDER"
SOURCE = "orders"

events = boto3.client("events")
mails = boto3.client("sesv2")


def publish(name: str, order: Order, execution: str) -> None:
    """Tell other systems what happened to an order.

    Parameters:
        name: what happened, `order_placed` for example; once per execution.

    Raises:
        TransientError: EventBridge did not take it.
    """
    detail = {"order_id": order["order_id"], "idempotency_key": key(execution, name)}
    answer = events.put_events(
        Entries=[
            {
                "EventBusName": os.environ[BUS_VARIABLE],
                "Source": SOURCE,
                "DetailType": name,
                "Detail": json.dumps(detail),
            }
        ]
    )
    # The call succeeds even if the event was not taken.
    if answer["FailedEntryCount"]:
        raise TransientError(f"{name} was not taken: {answer['Entries'][0].get('ErrorCode')}")


def mail(name: str, to: str, subject: str, text: str, execution: str) -> None:
    """Write to somebody.

    Parameters:
        name: which mail this is; once per execution.
    """
    mails.send_email(
        FromEmailAddress=os.environ[SENDER_VARIABLE],
        Destination={"ToAddresses": [to]},
        Content={"Simple": {"Subject": {"Data": subject}, "Body": {"Text": {"Data": text}}}},
        EmailTags=[{"Name": "idempotency-key", "Value": key(execution, name)}],
    )


def key(execution: str, name: str) -> str:
    """The idempotency key of an effect of an execution."""
    return hashlib.sha256(f"{execution} {name}".encode()).hexdigest()
