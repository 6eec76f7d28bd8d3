"""Listeners to side effects: AWS API calls, and the effects that a fake of the world reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dacapo.process.active_run import ACTIVE, EffectListener

TOKENS = "dacapo_tokens"
"""Entry of a request's `context`: names of the idempotency tokens that the caller passed. botocore
draws a new one for each call that has none."""


@contextmanager
def listening(
    listener: EffectListener, on_throttled: Callable[[object], None] = lambda _: None
) -> Iterator[None]:
    """Context manager that notifies one more listener of every effect.

    Parameters:
        listener: receives each effect, before it happens.
        on_throttled: receives the `context` of a request that AWS throttled: it had no effect.
    """
    with ACTIVE.serving(
        effect_listeners=(*ACTIVE.effect_listeners, listener),
        throttle_listeners=(*ACTIVE.throttle_listeners, on_throttled),
    ):
        yield


def report(service: str, operation: str, request: Mapping[str, Any]) -> None:
    """Report a call of a service to every listener."""
    for listener in ACTIVE.effect_listeners:
        listener(service, operation, request)


def report_throttled(context: object) -> None:
    """Report that AWS throttled the request with this context."""
    for listener in ACTIVE.throttle_listeners:
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
