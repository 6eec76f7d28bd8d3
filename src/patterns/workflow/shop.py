"""Define the steps of an order and the compensation of each.

Stock, payments, and carrier slots are rows of one table here. If yours are services run by others,
pass them the idempotency key: it is made of the order and the action, so it is the same on every
retry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
        compensation: compensates the step; does nothing if the step wasn't done.
        refused: how the order ends if the step is refused.
    """

    name: str
    action: Callable[[Order], bool]
    compensation_name: str
    compensation: Callable[[Order], None]
    refused: Ending


def reserve(order: Order) -> bool:
    """Reserve the items from stock."""
    return ledger.reserve(_key(order, "goods"), *_goods(order))


def release(order: Order) -> None:
    """Release the reserved items."""
    ledger.release(_key(order, "goods"), *_goods(order))


def pay(order: Order) -> bool:
    """Charge the account."""
    return ledger.reserve(_key(order, "payment"), *_payment(order))


def refund(order: Order) -> None:
    """Refund the payment."""
    ledger.release(_key(order, "payment"), *_payment(order))


def book(order: Order) -> bool:
    """Book a slot for one parcel with the carrier."""
    return ledger.reserve(_key(order, "parcel"), *_parcel(order))


def cancel(order: Order) -> None:
    """Cancel the parcel.

    Raises:
        AlreadyPickedUp: the carrier has picked it up.
    """
    ledger.release(_key(order, "parcel"), *_parcel(order))


STEPS = (
    SagaStep("reserve the goods", reserve, "release the goods", release, Ending.OUT_OF_STOCK),
    SagaStep("take the payment", pay, "give the money back", refund, Ending.DECLINED),
    SagaStep("book the parcel", book, "cancel the parcel", cancel, Ending.NOT_SHIPPABLE),
)


def parcel_status(order: Order) -> ReservationStatus:
    """Return the status of the parcel: held, released if canceled, or picked up."""
    return ledger.status(_key(order, "parcel"))


def withdraw_parcel(order: Order) -> ReservationStatus:
    """Cancel the parcel unless it was picked up, and return its status: released or picked up.

    The carrier may arrive at the same moment; the parcel's one row decides who came first.
    """
    try:
        cancel(order)
    except AlreadyPickedUp:
        return ReservationStatus.PICKED_UP
    return ReservationStatus.RELEASED


def _key(order: Order, what: str) -> str:
    return f"order#{order['order_id']}#{what}"


def _goods(order: Order) -> tuple[str, int]:
    return f"stock#{order['item']}", order["quantity"]


def _payment(order: Order) -> tuple[str, int]:
    return f"account#{order['account']}", order["cents"]


def _parcel(order: Order) -> tuple[str, int]:
    return f"van#{order['region']}", 1
