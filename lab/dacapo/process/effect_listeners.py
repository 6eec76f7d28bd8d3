"""Listeners to side effects: AWS API calls, and the effects that a fake of the world reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from botocore.client import BaseClient

from dacapo.process.active_run import ACTIVE, EffectListener

_CLIENT: Any = BaseClient
_AWS_CALL = _CLIENT._make_api_call.__code__  # noqa: SLF001 - every call passes it
TOKENS = "dacapo_tokens"
"""Entry of a request's `context`: names of the idempotency tokens that the caller passed. botocore
draws a new one for each call that has none."""


@contextmanager
def listening(
    listener: EffectListener, on_undone: Callable[[object], None] = lambda _: None
) -> Iterator[None]:
    """Context manager that notifies one more listener of every effect.

    Parameters:
        listener: receives each effect, before it happens.
        on_undone: receives the `context` of a request that had no effect: AWS throttled it, or
            was out.
    """
    with ACTIVE.serving(
        effect_listeners=(*ACTIVE.effect_listeners, listener),
        undone_listeners=(*ACTIVE.undone_listeners, on_undone),
    ):
        yield


def report(service: str, operation: str, request: Mapping[str, Any]) -> None:
    """Report a call of a service to every listener."""
    for listener in ACTIVE.effect_listeners:
        listener(service, operation, request)


def report_undone(context: object) -> None:
    """Report that the request with this context had no effect."""
    for listener in ACTIVE.undone_listeners:
        listener(context)


def effect(what: str, content: object = None) -> None:
    """Report a side effect that the verifier can't see; a fake of the world calls this.

    The verifier sees AWS API calls, sockets, files and processes by itself. It sees an effect on
    another channel (a client written in C, for example, that a scenario's world replaces with a
    fake) only if the fake reports it.

    Parameters:
        what: the action, for example `kafka:Produce`.
        content: the content that is sent; the same content is the same effect. Its `repr` is
            compared.
    """
    service, _, operation = what.partition(":")
    report(service, operation, {"body": repr(content)})


def is_of_world(frame: FrameType | None, most: int = 0) -> bool:
    """Return whether a world does something itself, while it answers a call of AWS.

    Parameters:
        most: how many calls of AWS may be under way: 1 to ask it of a call.
    """
    under_way = 0
    while frame is not None:
        under_way += frame.f_code is _AWS_CALL
        frame = frame.f_back
    return under_way > most
