"""Takes something from a supply, and gives it back: pieces, cents, places in a van.

Look at the row that each taking leaves. It is written in one transaction with the supply, under a
key of the order's own, so:

- taken again, or given back again, nothing changes: a call whose reply was lost can be repeated;
- what was given back is never taken again, not even by a call that comes late; to that end,
  giving back what was never taken leaves a row as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from patterns.transient import TransientError
from patterns.workflow import ledger_writes
from patterns.workflow.ledger_writes import KEY, Standing, dynamodb, table


class Gone(Exception):  # noqa: N818 - says what it is
    """What was taken has left the house, and can't be given back."""


class TakenOtherwise(Exception):  # noqa: N818 - says what it is
    """Something else was taken under this key, or it was given back before."""


def take(key: str, supply: str, amount: int) -> bool:
    """Take an amount from a supply; again under the same key, it is the same taking.

    Returns:
        Whether it was taken; if not, the supply does not hold as much, and nothing was done.

    Raises:
        TakenOtherwise: the key stands for something else, or it was given back.
        TransientError: others take from the same supply at this moment.
    """
    refused = ledger_writes.transact(
        ledger_writes.new_row(key, supply, amount), ledger_writes.less(supply, amount)
    )
    found = refused[0].get("Item") if refused else None
    if found and not _is_same(found, supply, amount):
        raise TakenOtherwise(f"{key} stands for something else, or was given back")
    return not refused or found is not None


def give_back(key: str, supply: str, amount: int) -> None:
    """Give back what was taken; again, or if nothing was taken, nothing is given.

    Raises:
        Gone: it has left the house.
        TakenOtherwise: the key stands for something else.
        TransientError: others take from the same supply at this moment.
    """
    refused = ledger_writes.transact(
        ledger_writes.given_back(key, supply, amount), ledger_writes.more(supply, amount)
    )
    if not refused:
        return
    found = refused[0].get("Item")
    if not found:
        _forestall(key)
    elif found["standing"]["S"] == Standing.GONE:
        raise Gone(f"{key} has left the house")
    elif found["standing"]["S"] != Standing.GIVEN_BACK:
        raise TakenOtherwise(f"{key} stands for something else")


def standing(key: str) -> Standing:
    """How it stands.

    Raises:
        KeyError: nothing was taken under this key.
    """
    found = dynamodb.get_item(TableName=table(), Key={KEY: {"S": key}}, ConsistentRead=True)
    return Standing(found["Item"]["standing"]["S"])


def _is_same(found: Mapping[str, Any], supply: str, amount: int) -> bool:
    if found["standing"]["S"] == Standing.GIVEN_BACK:
        return False
    return (found["supply"]["S"], int(found["amount"]["N"])) == (supply, amount)


def _forestall(key: str) -> None:
    row = {KEY: {"S": key}, "standing": {"S": Standing.GIVEN_BACK.value}}
    try:
        dynamodb.put_item(
            TableName=table(), Item=row, ConditionExpression=f"attribute_not_exists({KEY})"
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        raise TransientError(f"{key} was taken at this very moment") from None
