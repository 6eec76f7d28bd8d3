"""What leaves the house: events for other systems, and mails to people.

Neither EventBridge nor SES takes an idempotency token, so a step that comes again after a crash
sends again. Each event and each mail carries a key that stays the same, by which a receiver can
tell. Better twice than never: nobody is left without word of an order.
"""

from __future__ import annotations

import json
import os

import boto3

from patterns import mails
from patterns.approval.logic import Order
from patterns.mails import SENDER_VARIABLE, key
from patterns.transient import TransientError

__all__ = ["BUS_VARIABLE", "SENDER_VARIABLE", "SOURCE", "key", "mail", "publish"]

BUS_VARIABLE = "EVENT_BUS"
SOURCE = "orders"

events = boto3.client("events")


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

    Raises:
        MailRefused: SES won't send it.
    """
    mails.send(to, subject, text, key(execution, name))
