"""Who is told of what is done to the world: calls of AWS, and whatever else a fake makes known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Observer = Callable[[str, str, Mapping[str, Any]], None]
"""Is told the service, the operation, and the request that is about to be sent."""

_observers: list[Observer] = []


@contextmanager
def observed_by(observe: Observer) -> Iterator[None]:
    """While this lasts, `observe` is told of every effect."""
    _observers.append(observe)
    try:
        yield
    finally:
        _observers.remove(observe)


def tell(service: str, operation: str, request: Mapping[str, Any]) -> None:
    """Tell of a call of a service."""
    for observe in _observers:
        observe(service, operation, request)


def effect(what: str, content: object = None) -> None:
    """Tell of an effect that can't be seen from outside: a fake of the world calls this.

    The verifier sees calls of AWS, sockets, files and processes by itself. What goes out by another
    way (a client in C, say, whose fake a scenario's world puts in its place) it sees if the fake
    says so.

    Parameters:
        what: what is done, `kafka:Produce` for example.
        content: what is sent; the same content is the same effect. Anything that `repr` shows.
    """
    service, _, operation = what.partition(":")
    tell(service, operation, {"body": repr(content)})
