"""Send events to other systems and email to people.

Neither EventBridge nor SES accepts an idempotency token, so a step that is retried after a crash
sends again: at least once. Every event and every email carries an idempotency key that stays the
same across retries, so that receivers can discard duplicates.
"""

from __future__ import annotations

import json
import os

import boto3

from patterns import mails
from patterns.approval.logic import Order
from patterns.mails import SENDER_VARIABLE, key
from patterns.transient import STEP_CLIENT, TransientError

__all__ = ["BUS_VARIABLE", "SENDER_VARIABLE", "SOURCE", "key", "mail", "publish"]

BUS_VARIABLE = "EVENT_BUS"
"""Environment variable with the name of the event bus."""
SOURCE = "orders"

events = boto3.client("events", config=STEP_CLIENT)


def publish(name: str, order: Order, execution: str) -> None:
    """Publish an event about an order.

    Parameters:
        name: detail type, for example `order_placed`; unique within the execution.
        execution: ARN of the execution; part of the idempotency key.

    Raises:
        TransientError: EventBridge did not accept the event.
    """
    detail = {"order_id": order["order_id"], "idempotency_key": key(execution, name)}
    response = events.put_events(
        Entries=[
            {
                "EventBusName": os.environ[BUS_VARIABLE],
                "Source": SOURCE,
                "DetailType": name,
                "Detail": json.dumps(detail),
            }
        ]
    )
    # The call succeeds even if an entry fails.
    if response["FailedEntryCount"]:
        raise TransientError(f"{name} not published: {response['Entries'][0].get('ErrorCode')}")


def mail(name: str, to: str, subject: str, text: str, execution: str) -> None:
    """Send an email.

    Parameters:
        name: which email this is; unique within the execution.
        execution: ARN of the execution; part of the idempotency key.

    Raises:
        MailRefused: SES permanently refuses to send it.
    """
    mails.send(to, subject, text, key(execution, name))
