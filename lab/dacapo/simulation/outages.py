"""Outages: calls to services of AWS that fail for a while, below botocore's own machinery.

A call fails where botocore would send it. So what the client makes of that is real: which failures
it retries, how often, and how long it sleeps in between, in virtual time.

Calls of functions fail, and nobody else's: of the durable handler and of every other function, from
their own invocations. A call is the world's own if no invocation makes it (an external event, a
server of the world, the invariant), or if the world makes it while it answers another call.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import FrameType
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import Operation
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from botocore.model import OperationModel, ServiceModel

from dacapo.errors import ScenarioError
from dacapo.history.operations import label_of, lineage
from dacapo.history.recording import FailedCall
from dacapo.process import own_threads
from dacapo.process.active_run import ACTIVE
from dacapo.process.effect_listeners import is_of_world
from dacapo.scenario.external_events import Outage, OutageKind
from dacapo.scheduling.clock import Clock
from dacapo.scheduling.scheduler import here
from dacapo.sdk.installed import may_run_handlers, runs_user_code
from dacapo.service.execution import Execution

OPERATION = "dacapo_operation"
"""Entry of a request's `context`: the model of its operation."""
FAILED = "dacapo_failed"
"""Entry of a request's `context`: whether the attempt that was made last had no effect."""
_OWN = ("CheckpointDurableExecution", "GetDurableExecutionState")
"""Calls by which the SDK reaches the durable service itself."""
_READ_TIMEOUT = 60
"""Seconds: botocore's own, for a request that does not say it."""
_UNAVAILABLE = ("ServiceUnavailable", 503)
"""Code and HTTP status that every service of AWS has ("Common errors" of their API references)."""
_THROTTLED = {
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "ec2": ("RequestLimitExceeded", 503),
    "s3": ("SlowDown", 503),
    "ses": ("Throttling", 400),
    "sns": ("Throttled", 429),
}
"""Code and HTTP status of services whose model does not say them (their API references)."""
_THROTTLES = (
    *("ThrottlingException", "TooManyRequestsException", "ThrottledException"),
    *("RequestThrottled", "ProvisionedThroughputExceededException"),
)
"""Codes by which a model names its error for too many requests."""
_BY_PROTOCOL = {"query": "Throttling", "ec2": "Throttling", "rest-xml": "Throttling"}
"""Code of services whose model has no error for it; with JSON, `ThrottlingException`."""


@dataclass(frozen=True)
class _Open:
    """An outage that has begun.

    Parameters:
        until: virtual time at which it ends.
    """

    services: Sequence[str]
    kind: str
    until: datetime


class Outages:
    """The outages of a run, and the calls that they fail.

    Parameters:
        clock: the run's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expected: list[Outage] = []
        self._open: list[_Open] = []
        self.failed: list[FailedCall] = []

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Context manager in which they fail calls."""
        with ACTIVE.serving(outages=self):
            if own_threads.is_following():
                yield
                return
            with own_threads.following(_origin_here, lambda thread: not may_run_handlers(thread)):
                yield

    def expect(self, outage: Outage) -> None:
        """Begin an outage as soon as the operation starts that it begins with."""
        self._expected.append(outage)

    def begin(self, services: Sequence[str], lasts: timedelta, kind: str) -> None:
        """Let services fail from now on, for a while."""
        self._open.append(_Open(services, kind, self._clock.now + lasts))

    def failure(self, service: str, operation: str) -> str | None:
        """Return how a call fails that is made now; None if its service is not out."""
        now = self._clock.now
        self._open = [outage for outage in self._open if now < outage.until]
        kind = next((outage.kind for outage in self._open if service in outage.services), None)
        if kind is not None:
            self.failed.append(FailedCall(now, service, operation, str(kind)))
        return kind

    def on_started(self, execution: Execution, operation: Operation) -> None:
        """Begin the outages that begin with this operation, the first time that it starts."""
        if not self._expected:
            return
        line = lineage(execution.operations, operation)
        names = ["/".join(label_of(part) for part in line)]
        if ACTIVE.api and execution.arn == ACTIVE.api.first_execution():
            names.append(operation.operation_id)  # others have the same IDs
        for outage in [one for one in self._expected if one.from_operation in names]:
            self._expected.remove(outage)
            begin = partial(outage.action, None)
            if outage.after:
                self._clock.schedule(outage.after, begin, outage.name)
            else:
                begin()

    def check(self) -> None:
        """Check that every operation has started with which an outage begins.

        Raises:
            ScenarioError: one has not.
        """
        for outage in self._expected:
            raise ScenarioError(
                f"the {outage.name} begins with operation {outage.from_operation!r}, which the run "
                "never starts: write its path, as the run's operations have it"
            )


def fail(request: Any) -> tuple[int, dict[str, str], bytes] | None:
    """Fail an attempt to send a request, if its service is out and a function makes the call.

    Parameters:
        request: botocore's, about to be sent.

    Returns:
        Status, headers and body of an answer that says so; None to send the request.

    Raises:
        EndpointConnectionError: nobody accepts the connection.
        ReadTimeoutError: nobody answers.
    """
    context = request.context or {}
    model: OperationModel | None = context.get(OPERATION)
    context[FAILED] = False
    if ACTIVE.outages is None or model is None or model.name in _OWN:
        return None
    if not is_of_invocation(sys._getframe(1)):  # noqa: SLF001
        return None
    service = model.service_model.service_name
    kind = ACTIVE.outages.failure(service, model.name)
    context[FAILED] = kind is not None
    match kind:
        case OutageKind.REFUSED:
            refused = ConnectionRefusedError(111, "Connection refused")
            raise EndpointConnectionError(endpoint_url=request.url, error=refused)
        case OutageKind.HANGING:
            _hang(context)
            raise ReadTimeoutError(endpoint_url=request.url, error="timed out")
        case OutageKind.THROTTLED:
            return _answer(model.service_model, *_throttled(model.service_model))
        case OutageKind.SERVER_ERROR:
            return _answer(model.service_model, *_UNAVAILABLE)
    return None


def is_of_invocation(frame: FrameType | None) -> bool:
    """Return whether this thread calls AWS for a function that is invoked.

    Parameters:
        frame: where the call is about to be sent.
    """
    scheduler = here()
    if scheduler is None:
        is_invoked = own_threads.origin() is not None
    else:
        is_invoked = scheduler.current.sandbox is not None
    return is_invoked and not is_of_world(frame, most=1)


def _origin_here() -> own_threads.Origin | None:
    """Return the origin of a thread that a function starts here, and not the SDK."""
    if not is_of_invocation(sys._getframe(1)):  # noqa: SLF001
        return None
    scheduler = here()
    sandbox = scheduler.current.sandbox if scheduler else None
    is_plain = sandbox is not None and not sandbox.is_replayed
    return own_threads.Origin(None) if is_plain or runs_user_code() else None


def _hang(context: Mapping[str, Any]) -> None:
    if here() is None:
        return  # a thread of the handler's own sees real time
    timeout = context.get("read_timeout")
    if timeout is None:
        timeout = getattr(context.get("client_config"), "read_timeout", _READ_TIMEOUT)
    time.sleep(float(timeout or _READ_TIMEOUT))  # virtual time: this thread is the scheduler's


def _throttled(service: ServiceModel) -> tuple[str, int]:
    """Return code and HTTP status of a service's error for too many requests."""
    if service.service_name in _THROTTLED:
        return _THROTTLED[service.service_name]
    modeled: dict[str, Any] = {shape.name: shape for shape in service.error_shapes}
    for code in _THROTTLES:
        if code in modeled:
            return code, modeled[code].metadata.get("error", {}).get("httpStatusCode", 400)
    return _BY_PROTOCOL.get(service.resolved_protocol, "ThrottlingException"), 400


def _answer(service: ServiceModel, code: str, status: int) -> tuple[int, dict[str, str], bytes]:
    """Return an answer that is an error, in the protocol of a service."""
    message = "dacapo: the service is out"
    xml = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    match service.resolved_protocol:
        case "rest-xml" if service.service_name == "s3":
            body = xml.encode()
        case "query" | "rest-xml":
            body = f"<ErrorResponse>{xml}<RequestId>out</RequestId></ErrorResponse>".encode()
        case "ec2":
            body = f"<Response><Errors>{xml}</Errors><RequestID>out</RequestID></Response>".encode()
        case "smithy-rpc-v2-cbor":
            # A map of one entry: two texts, the second one of up to 255 bytes.
            body = b"\xa1\x66__type\x78" + bytes([len(code)]) + code.encode()
        case _:
            body = json.dumps({"__type": code, "message": message}).encode()
    headers = {"content-length": str(len(body)), "x-amzn-errortype": code}
    return status, headers, body
