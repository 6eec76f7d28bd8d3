"""What became of an order, in counts of what arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any
from unittest.mock import patch

from patterns.workflow import shop
from patterns.workflow.logic import Order
from scenarios.worlds.workflow import MONEY, ORDER, Shop

AT_MOMENTS, IN_ORDERS = "at {} moments", "in {} orders"


def paid(world: Shop) -> int:
    """How often the account paid."""
    return (world.at_first[MONEY] - world.supplies[MONEY]) // ORDER["cents"]


def done(what: str, world: Shop) -> int:
    """How often something was written."""
    return Counter(world.written)[what]


def times(counts: Sequence[int], places: str) -> str:
    """How often something was done, over all the places where a fault was tried."""
    wrong = Counter(number for number in counts if number != 1)
    if not wrong:
        return f"once, {places.format(f'all {len(counts)}')}"
    words = {0: "never", 2: "twice"}
    return ", ".join(
        f"{words.get(number, f'{number} times')} {places.format(f'{found} of {len(counts)}')}"
        for number, found in wrong.items()
    )


@contextmanager
def without_keys() -> Iterator[None]:
    """The payment service takes no key: whoever asks again pays again."""
    number, key = count(), shop._key

    def fresh(order: Order, what: str) -> str:
        return f"{key(order, what)}{next(number) if what == 'payment' else ''}"

    with patch.object(shop, "_key", fresh):
        yield


def asked(told: Sequence[Any], world: Shop) -> str:
    """What was told whoever asked again, and how often that was paid."""
    refused = ["found" if answer else "refused" for answer in told[1:]]
    return f"{', '.join(refused)}; paid {paid(world)} time"
