"""Reserve an amount from a supply, and release it: items, cents, slots in a van.

Each reservation leaves a row, written in one transaction with the supply under an idempotency key
of the order. Therefore:

- Repeating a reservation or a release has no effect, so a call whose reply was lost can be retried.
- A released amount is never reserved again, not even by a late call. To ensure that, releasing what
  was never reserved writes a row as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from patterns.transient import TransientError
from patterns.workflow import ledger_writes
from patterns.workflow.ledger_writes import KEY, STATUS, ReservationStatus, dynamodb, table


class AlreadyPickedUp(Exception):  # noqa: N818 - says what it is
    """The reserved parcel was picked up and can't be released."""


class ReservationConflict(Exception):  # noqa: N818
    """The key belongs to another reservation, or its reservation was already released."""


def reserve(key: str, supply: str, amount: int) -> bool:
    """Reserve an amount from a supply. Repeating the call with the same key has no effect.

    Returns:
        True if the amount is reserved. False if the supply is too small; then nothing was done.

    Raises:
        ReservationConflict: the key belongs to another reservation, or was already released.
        TransientError: another transaction is writing to the same supply.
    """
    refused = ledger_writes.transact(
        ledger_writes.new_row(key, supply, amount), ledger_writes.subtract(supply, amount)
    )
    existing = refused[0].get("Item") if refused else None
    if existing and not _is_same(existing, supply, amount):
        raise ReservationConflict(f"{key} belongs to another reservation, or was released")
    return not refused or existing is not None


def release(key: str, supply: str, amount: int) -> None:
    """Release a reservation. Repeating the call, or releasing what was never reserved, is harmless.

    Raises:
        AlreadyPickedUp: the parcel was picked up.
        ReservationConflict: the key belongs to another reservation.
        TransientError: another transaction is writing to the same supply.
    """
    refused = ledger_writes.transact(
        ledger_writes.mark_released(key, supply, amount), ledger_writes.add(supply, amount)
    )
    if not refused:
        return
    existing = refused[0].get("Item")
    if not existing:
        _forestall(key)
    elif existing[STATUS]["S"] == ReservationStatus.PICKED_UP:
        raise AlreadyPickedUp(f"{key} was picked up")
    elif existing[STATUS]["S"] != ReservationStatus.RELEASED:
        raise ReservationConflict(f"{key} belongs to another reservation")


def status(key: str) -> ReservationStatus:
    """Return the status of a reservation.

    Raises:
        KeyError: there is no reservation with this key.
    """
    response = dynamodb.get_item(TableName=table(), Key={KEY: {"S": key}}, ConsistentRead=True)
    return ReservationStatus(response["Item"][STATUS]["S"])


def _is_same(existing: Mapping[str, Any], supply: str, amount: int) -> bool:
    if existing[STATUS]["S"] == ReservationStatus.RELEASED:
        return False
    return (existing["supply"]["S"], int(existing["amount"]["N"])) == (supply, amount)


def _forestall(key: str) -> None:
    row = {KEY: {"S": key}, STATUS: {"S": ReservationStatus.RELEASED.value}}
    try:
        dynamodb.put_item(
            TableName=table(), Item=row, ConditionExpression=f"attribute_not_exists({KEY})"
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        raise TransientError(f"{key} was reserved at this very moment") from None
