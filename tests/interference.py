"""Crashes a program at any AWS call, and interleaves the calls of two programs in any order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Any

import pytest

Moment = tuple[int, str]
"""The number of a call, from 0, and `before` or `after`."""


@dataclass
class Calls:
    """The names of the API operations that were called, in order."""

    names: list[str] = field(default_factory=list)


@contextmanager
def watching(
    clients: Sequence[Any], visit: Callable[[int, str], None] = lambda number, when: None
) -> Iterator[Calls]:
    """Context manager that calls `visit` before and after each API call of these clients."""
    calls = Calls()

    def before(model: Any, **_: Any) -> None:
        number = len(calls.names)
        visit(number, "before")
        calls.names.append(model.name)

    def after(**_: Any) -> None:
        visit(len(calls.names) - 1, "after")

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
def crash_at(clients: Sequence[Any], moment: Moment) -> Iterator[list[Moment]]:
    """Context manager that crashes once, at this moment; the list stays empty if it never comes.

    `SystemExit` is the closest that code can come to seeing its own process killed.
    """
    crashes: list[Moment] = []

    def visit(number: int, when: str) -> None:
        if (number, when) == moment and not crashes:
            crashes.append(moment)
            raise SystemExit(f"crashed {when} call {number}")

    with watching(clients, visit):
        yield crashes


def moments(calls: int) -> list[Moment]:
    """Return the moments before and after each of this many calls."""
    return [(number, when) for number in range(calls) for when in ("before", "after")]


def at_every_call(calls: Sequence[str]) -> pytest.MarkDecorator:
    """Parametrize a test over `moment`: before and after each of these calls."""
    return pytest.mark.parametrize(
        "moment",
        moments(len(calls)),
        ids=lambda moment: f"{moment[1]} {moment[0]} {calls[moment[0]]}",
    )


def interleavings(first: int, second: int) -> list[str]:
    """Return every interleaving of two programs with this many calls each, such as `AABAB`."""
    places = range(first + second)
    return [
        "".join("A" if place in chosen else "B" for place in places)
        for chosen in combinations(places, first)
    ]


class Interleaving:
    """Two programs in threads, each of whose AWS calls waits for its turn."""

    def __init__(self, order: str) -> None:
        self._order = list(order)
        self._turn = threading.Condition()
        self._name = threading.local()
        self._begun: set[str] = set()
        self._done: set[str] = set()
        self._is_busy = False

    def run(self, clients: Sequence[Any], **programs: Callable[[], Any]) -> dict[str, Any]:
        """Run the programs `A` and `B`; return the result of each, or the exception it raised."""
        results: dict[str, Any] = {}

        def body(name: str) -> None:
            self._name.value = name
            try:
                results[name] = programs[name]()
            except Exception as error:  # noqa: BLE001 - any outcome is a result
                results[name] = error
            with self._turn:
                self._begun.add(name)
                self._done.add(name)
                self._turn.notify_all()

        threads = {name: threading.Thread(target=body, args=(name,)) for name in programs}
        with watching(clients, self._visit):
            for name, thread in threads.items():
                thread.start()
                # One after the other, up to their first calls: on Lambda, each has a process of its
                # own, but here they share the router, which keeps the event that it routes.
                with self._turn:
                    self._turn.wait_for(partial(self._begun.__contains__, name), timeout=20)
            for thread in threads.values():
                thread.join(timeout=30)
        assert set(results) == set(programs), "a program is stuck"
        return results

    def _visit(self, number: int, when: str) -> None:
        name = self._name.value
        with self._turn:
            if when == "before":
                self._begun.add(name)
                self._turn.notify_all()
                is_mine = self._turn.wait_for(lambda: self._may_go(name), timeout=20)
                assert is_mine, "its turn never came"
                if name in self._order:
                    self._order.remove(name)
            self._is_busy = when == "before"
            self._turn.notify_all()

    def _may_go(self, name: str) -> bool:
        remaining = [turn for turn in self._order if turn not in self._done]
        return not self._is_busy and (name not in remaining or remaining[0] == name)
