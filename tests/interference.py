"""Dying between any two calls of AWS, and running two programs in every possible order of calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import pytest

Moment = tuple[int, str]
"""A call, counted from 0, and whether the moment is `before` or `after` it."""


@dataclass
class Calls:
    """The calls that were made, by operation name."""

    made: list[str] = field(default_factory=list)


@contextmanager
def watching(
    clients: Sequence[Any], visit: Callable[[int, str], None] = lambda number, when: None
) -> Iterator[Calls]:
    """Visit the moments before and after each call that these clients make."""
    calls = Calls()

    def before(model: Any, **_: Any) -> None:
        number = len(calls.made)
        visit(number, "before")
        calls.made.append(model.name)

    def after(**_: Any) -> None:
        visit(len(calls.made) - 1, "after")

    for client in clients:
        client.meta.events.register("before-call", before)
        client.meta.events.register("after-call", after)
    try:
        yield calls
    finally:
        for client in clients:
            client.meta.events.unregister("before-call", before)
            client.meta.events.unregister("after-call", after)


@contextmanager
def dying_at(clients: Sequence[Any], moment: Moment) -> Iterator[list[Moment]]:
    """Die once, at this moment; the list tells whether it came.

    `SystemExit` is what a process that is taken away looks like to the code in it.
    """
    died: list[Moment] = []

    def visit(number: int, when: str) -> None:
        if (number, when) == moment and not died:
            died.append(moment)
            raise SystemExit(f"died {when} call {number}")

    with watching(clients, visit):
        yield died


def moments(calls: int) -> list[Moment]:
    """Every moment around this many calls."""
    return [(number, when) for number in range(calls) for when in ("before", "after")]


def at_every_call(calls: Sequence[str]) -> pytest.MarkDecorator:
    """Run a test once for every moment around these calls; it is given the `moment`."""
    return pytest.mark.parametrize(
        "moment",
        moments(len(calls)),
        ids=lambda moment: f"{moment[1]} {moment[0]} {calls[moment[0]]}",
    )


def orders(first: int, second: int) -> list[str]:
    """Every order in which two programs of so many calls each can make them: `AABAB…`."""
    places = range(first + second)
    return [
        "".join("A" if place in chosen else "B" for place in places)
        for chosen in combinations(places, first)
    ]


class TurnTaking:
    """Runs two programs in threads, each call of AWS at its turn."""

    def __init__(self, order: str) -> None:
        self._order = list(order)
        self._turn = threading.Condition()
        self._name = threading.local()
        self._done: set[str] = set()
        self._is_busy = False

    def run(self, clients: Sequence[Any], **programs: Callable[[], Any]) -> dict[str, Any]:
        """What the programs `A` and `B` gave, or the exception that they raised."""
        results: dict[str, Any] = {}

        def body(name: str) -> None:
            self._name.value = name
            try:
                results[name] = programs[name]()
            except Exception as error:  # noqa: BLE001 - any outcome is a result
                results[name] = error
            with self._turn:
                self._done.add(name)
                self._turn.notify_all()

        threads = [threading.Thread(target=body, args=(name,)) for name in programs]
        with watching(clients, self._visit):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=30)
        assert set(results) == set(programs), "a program is stuck"
        return results

    def _visit(self, number: int, when: str) -> None:
        name = self._name.value
        with self._turn:
            if when == "before":
                is_mine = self._turn.wait_for(lambda: self._may_go(name), timeout=20)
                assert is_mine, "its turn never came"
                if name in self._order:
                    self._order.remove(name)
            self._is_busy = when == "before"
            self._turn.notify_all()

    def _may_go(self, name: str) -> bool:
        left = [turn for turn in self._order if turn not in self._done]
        return not self._is_busy and (name not in left or left[0] == name)
