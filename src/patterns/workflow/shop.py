"""What is done for an order, and how each of it is undone.

Stock, payments and places with the carrier are rows of one table here. Where yours is a service of
somebody else, give it the key: one of the order and of what is done, the same however often it is
asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from patterns.workflow import ledger
from patterns.workflow.ledger import Gone
from patterns.workflow.ledger_writes import Standing
from patterns.workflow.logic import Ending, Order


@dataclass(frozen=True)
class Move:
    """Something that is done for an order, and how it is undone.

    Parameters:
        do: does it, once however often it is called; False if it is refused. A refusal is certain:
            nothing was done. An error leaves open what was done.
        undo: undoes it, once however often it is called; nothing happens if it was not done.
        refused: how the order ends if it is refused.
    """

    name: str
    do: Callable[[Order], bool]
    undoing: str
    undo: Callable[[Order], None]
    refused: Ending


def reserve(order: Order) -> bool:
    """Take the pieces from stock."""
    return ledger.take(_key(order, "goods"), *_goods(order))


def release(order: Order) -> None:
    """Put the pieces back."""
    ledger.give_back(_key(order, "goods"), *_goods(order))


def pay(order: Order) -> bool:
    """Take the money from the account."""
    return ledger.take(_key(order, "payment"), *_payment(order))


def refund(order: Order) -> None:
    """Give the money back."""
    ledger.give_back(_key(order, "payment"), *_payment(order))


def book(order: Order) -> bool:
    """Book a place for one parcel with the carrier."""
    return ledger.take(_key(order, "parcel"), *_parcel(order))


def cancel(order: Order) -> None:
    """Cancel the parcel.

    Raises:
        Gone: the carrier has picked it up.
    """
    ledger.give_back(_key(order, "parcel"), *_parcel(order))


MOVES = (
    Move("reserve the goods", reserve, "release the goods", release, Ending.OUT_OF_STOCK),
    Move("take the payment", pay, "give the money back", refund, Ending.DECLINED),
    Move("book the parcel", book, "cancel the parcel", cancel, Ending.NOT_SHIPPABLE),
)


def look_at_parcel(order: Order) -> Standing:
    """How the parcel stands: held, given back if it was cancelled, gone if it was picked up."""
    return ledger.standing(_key(order, "parcel"))


def withdraw_parcel(order: Order) -> Standing:
    """Cancel the parcel unless it was picked up, and tell which: given back, or gone.

    The carrier and we may come at the same moment; the one row of the parcel decides who was first.
    """
    try:
        cancel(order)
    except Gone:
        return Standing.GONE
    return Standing.GIVEN_BACK


def _key(order: Order, what: str) -> str:
    return f"order#{order['order_id']}#{what}"


def _goods(order: Order) -> tuple[str, int]:
    return f"stock#{order['item']}", order["quantity"]


def _payment(order: Order) -> tuple[str, int]:
    return f"account#{order['account']}", order["cents"]


def _parcel(order: Order) -> tuple[str, int]:
    return f"van#{order['region']}", 1
