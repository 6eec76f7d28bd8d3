"""Listeners to side effects: AWS API calls, and the effects that a fake of the world reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dacapo.process.active_run import ACTIVE, EffectListener


@contextmanager
def listening(listener: EffectListener) -> Iterator[None]:
    """Context manager that notifies one more listener of every effect."""
    with ACTIVE.serving(effect_listeners=(*ACTIVE.effect_listeners, listener)):
        yield


def report(service: str, operation: str, request: Mapping[str, Any]) -> None:
    """Report a call of a service to every listener."""
    for listener in ACTIVE.effect_listeners:
        listener(service, operation, request)


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
