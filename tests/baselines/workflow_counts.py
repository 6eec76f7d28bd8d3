"""The effects of an order, counted at the receiver."""

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

AT_MOMENTS, IN_ORDERS = "at {} crash points", "in {} interleavings"


def paid(world: Shop) -> int:
    """Return how often the account was charged."""
    return (world.initial_supplies[MONEY] - world.supplies[MONEY]) // ORDER["cents"]


def done(write: str, world: Shop) -> int:
    """Return how often a write took place."""
    return Counter(world.written)[write]


def times(counts: Sequence[int], places: str) -> str:
    """Return how often something was done, over all the places where a fault was injected.

    Parameters:
        counts: one for each place.
        places: their name, such as `AT_MOMENTS`.
    """
    wrong = Counter(number for number in counts if number != 1)
    if not wrong:
        return f"once {places.format(f'all {len(counts)}')}"
    words = {0: "never", 2: "twice"}
    return ", ".join(
        f"{words.get(number, f'{number} times')} {places.format(f'{runs} of {len(counts)}')}"
        for number, runs in wrong.items()
    )


@contextmanager
def without_keys() -> Iterator[None]:
    """Context manager in which the payment service ignores keys: every request charges again."""
    number, key = count(), shop._key

    def fresh(order: Order, what: str) -> str:
        return f"{key(order, what)}{next(number) if what == 'payment' else ''}"

    with patch.object(shop, "_key", fresh):
        yield


def repeat_results(responses: Sequence[Any], world: Shop) -> str:
    """Return the results of the repeated requests, and the number of payments, in words."""
    results = ["found" if response else "rejected" for response in responses[1:]]
    return f"{', '.join(results)}; payments: {paid(world)}"
