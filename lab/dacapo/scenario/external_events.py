"""External events: what happens outside the execution, at a virtual time.

An external event can be any function of the world. `pause` and `resume` make those that pause the
execution and resume it, and `outage` makes one in which services of AWS fail for a while.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cache, partial
from typing import Any

from botocore import session

from dacapo.errors import ScenarioError, UnsupportedByEngine
from dacapo.lambda_api.http import Request
from dacapo.process.active_run import ACTIVE
from dacapo.scenario.checks import check_after, check_positive, require

_AT_ONCE = timedelta(0)


@dataclass(frozen=True)
class ExternalEvent:
    """An event outside the execution, at a virtual time.

    Parameters:
        after: virtual time since the run began.
        name: the event in words; it names the caller of the event's API calls.
        action: makes it happen; takes the scenario's world.
    """

    after: timedelta
    name: str
    action: Callable[[Any], object]

    def __post_init__(self) -> None:
        check_after(self.after, f"after of external event {self.name!r}")


def pause(
    *, after: timedelta, reason: str | None = None, execution_timeout_paused: bool = True
) -> ExternalEvent:
    """Pause the scenario's execution, as PauseDurableExecution does.

    Parameters:
        after: virtual time since the run began.
        reason: recorded in the history; at most 1,024 characters.
        execution_timeout_paused: whether the execution timeout is extended by the time spent
            paused.
    """
    members = {"Reason": reason, "ExecutionTimeoutPaused": execution_timeout_paused}
    return ExternalEvent(after, "pause", partial(_steer, "PauseDurableExecution", members))


def resume(*, after: timedelta, reason: str | None = None) -> ExternalEvent:
    """Resume the scenario's execution, as ResumeDurableExecution does.

    Parameters:
        after: virtual time since the run began.
        reason: recorded in the history; at most 1,024 characters.
    """
    members = {"Reason": reason}
    return ExternalEvent(after, "resume", partial(_steer, "ResumeDurableExecution", members))


def _steer(operation: str, members: Mapping[str, Any], _world: Any) -> None:
    api = ACTIVE.api
    if api is None:
        raise RuntimeError("no run is active")
    path = {"DurableExecutionArn": api.first_execution()}
    api.answer(operation, Request(path, body=json.dumps(members).encode()))


class OutageKind(StrEnum):
    """The way in which a service fails during an outage."""

    THROTTLED = "throttled"
    """The service's own error code for too many requests, such as TooManyRequestsException."""
    SERVER_ERROR = "server error"
    """HTTP 503, ServiceUnavailable: an error that every service of AWS has."""
    REFUSED = "refused"
    """Nobody accepts the connection: botocore's EndpointConnectionError."""
    HANGING = "hanging"
    """Nobody answers: botocore's ReadTimeoutError, after the client's read timeout."""


@dataclass(frozen=True)
class Outage(ExternalEvent):
    """Services of AWS that fail for a while; `outage` makes one.

    Parameters:
        services: as in `boto3.client(SERVICE)`.
        lasts: virtual time until they work again.
        kind: the way in which they fail.
        from_operation: path or ID of the operation of which the first start is when `after`
            begins to count; "" for the start of the run.
    """

    action: Callable[[Any], object] = field(repr=False)
    services: tuple[str, ...] = ()
    lasts: timedelta = _AT_ONCE
    kind: OutageKind = OutageKind.THROTTLED
    from_operation: str = ""


def outage(
    *services: str,
    lasts: timedelta,
    after: timedelta = _AT_ONCE,
    kind: str = OutageKind.THROTTLED,
    from_operation: str = "",
) -> ExternalEvent:
    """Let every call to some services of AWS fail for a while.

    It fails calls that functions of the scenario make in their invocations: the handler, and what
    a client of an API, a queue or a schedule invokes. Retries of the client, and the time between
    them, are botocore's own, in virtual time. A call that fails has no effect.

    It does not fail what the outside does itself (the world, its servers, external events, the
    invariant), what the durable service does (checkpoints, chained invokes, answers of the
    scenario), or a service that is not AWS's: that one is the world's own.

    Parameters:
        services: as in `boto3.client(SERVICE)`: `dynamodb`, `kms`, `lambda`, …
        lasts: virtual time until they work again; more than 0.
        after: virtual time since the run began, or since `from_operation` first started.
        kind: `throttled`, `server error`, `refused` or `hanging`; see `OutageKind`.
        from_operation: path of an operation of the run, as `RecordedOperation.path` has it, or the
            ID of one of the scenario's own execution; "" for the start of the run.

    Raises:
        ScenarioError: a service or the kind is not known, or a time is out of range.
    """
    known_kinds = ", ".join(repr(known.value) for known in OutageKind)
    kinds = [known.value for known in OutageKind]
    require(kind in kinds, f"kind must be one of {known_kinds}, not {kind!r}")
    check_positive(lasts, "lasts of an outage")
    check_after(after, "after of an outage")
    require(bool(services), 'an outage needs a service: write outage("dynamodb", lasts=…)')
    for service in services:
        _check_service(service)
    require(
        isinstance(from_operation, str),
        f"from_operation must be the path of an operation, not {from_operation!r}",
    )
    begin = partial(_begin, services, lasts, OutageKind(kind))
    name = f"outage of {', '.join(services)}"
    return Outage(after, name, begin, services, lasts, OutageKind(kind), from_operation)


def _begin(services: tuple[str, ...], lasts: timedelta, kind: OutageKind, _world: Any) -> None:
    if ACTIVE.outages is None:
        raise UnsupportedByEngine("the official runner has no outages")
    ACTIVE.outages.begin(services, lasts, kind)


def _check_service(service: object) -> None:
    known = _services()
    if service in known:
        return
    # The last part of an endpoint's or a class's name is what people write instead.
    plain = str(service).lower().replace("-", "").replace("_", "").replace(" ", "")
    close = [name for name in known if plain in name.replace("-", "")]
    hint = f", for example {close[0]!r}" if close else ""
    raise ScenarioError(
        f"there is no AWS service {service!r}: write its name as in boto3.client(NAME){hint}"
    )


@cache
def _services() -> list[str]:
    return list(session.get_session().get_available_services())
