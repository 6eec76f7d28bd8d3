"""Define the steps of an order and the compensation of each.

Stock, payments, and carrier slots are rows of one table here. If yours are services run by others,
pass them the idempotency key: it is made of the order and the action, so it is the same on every
retry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from patterns.workflow import ledger
from patterns.workflow.ledger import AlreadyPickedUp
from patterns.workflow.ledger_writes import ReservationStatus
from patterns.workflow.logic import Ending, Order


@dataclass(frozen=True)
class SagaStep:
    """A step of the saga and its compensation, both idempotent.

    Parameters:
        name: the name of the step's operation.
        action: performs the step; returns False if it is refused. A refusal guarantees that nothing
            was done, while an error leaves it unknown.
        compensation_name: the name of the compensation's operation.
        compensation: compensates the step; does nothing if the step wasn't done. Returns False if
            it is too late; then no earlier step may be compensated either.
        refused: how the order ends if the step is refused.
        is_pivot: True if earlier steps may be compensated only once this one is.
    """

    name: str
    action: Callable[[Order], bool]
    compensation_name: str
    compensation: Callable[[Order], bool]
    refused: Ending
    is_pivot: bool = False


def reserve(order: Order) -> bool:
    """Reserve the items from stock."""
    return ledger.reserve(_key(order, "goods"), *_goods(order))


def release(order: Order) -> bool:
    """Release the reserved items."""
    ledger.release(_key(order, "goods"), *_goods(order))
    return True


def charge(order: Order) -> bool:
    """Charge the account."""
    return ledger.reserve(_key(order, "payment"), *_payment(order))


def refund(order: Order) -> bool:
    """Refund the payment."""
    ledger.release(_key(order, "payment"), *_payment(order))
    return True


def book(order: Order) -> bool:
    """Book a slot for one parcel with the carrier."""
    return ledger.reserve(_key(order, "parcel"), *_parcel(order))


def cancel(order: Order) -> bool:
    """Cancel the parcel, unless the carrier has picked it up.

    The carrier may arrive at the same moment; the parcel's one row decides who came first.

    Returns:
        False if it was picked up: the goods have left, and their payment stays.
    """
    try:
        ledger.release(_key(order, "parcel"), *_parcel(order))
    except AlreadyPickedUp:
        return False
    except ClientError:
        # What nobody may write may still be read, and it may be too late to cancel.
        if _has_left(order):
            return False
        raise
    return True


STEPS = (
    SagaStep("reserve the goods", reserve, "release the goods", release, Ending.OUT_OF_STOCK),
    SagaStep("charge the account", charge, "refund the payment", refund, Ending.DECLINED),
    SagaStep(
        "book the parcel", book, "cancel the parcel", cancel, Ending.NOT_SHIPPABLE, is_pivot=True
    ),
)
"""In the order in which they run; they are compensated in reverse order, the parcel first."""


def parcel_status(order: Order) -> ReservationStatus:
    """Return the status of the parcel: held, released if canceled, or picked up."""
    return ledger.status(_key(order, "parcel"))


def _has_left(order: Order) -> bool:
    try:
        return parcel_status(order) is ReservationStatus.PICKED_UP
    except KeyError:  # it was never booked
        return False


def _key(order: Order, what: str) -> str:
    return f"order#{order['order_id']}#{what}"


def _goods(order: Order) -> tuple[str, int]:
    return f"stock#{order['item']}", order["quantity"]


def _payment(order: Order) -> tuple[str, int]:
    return f"account#{order['account']}", order["cents"]


def _parcel(order: Order) -> tuple[str, int]:
    return f"van#{order['region']}", 1
