"""Connects unmodified boto3 to the Lambda API of a run, in process.

botocore asks its `before-send` handlers for a response before it opens a connection. The handler
installed here answers the calls for durable executions and functions of the active run. Every other
call continues to the next handler, and finally to the network, which a run refuses.

A client copies the handlers when it is created, so they must be installed before that; importing
`dacapo` does it. moto has the same constraint, and a module that creates its clients when it is
imported is often imported before moto; so moto is imported as well, if it is installed.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from botocore import handlers
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.retries.standard import RetryContext, ThrottledRetryableChecker

from dacapo.lambda_api.http import Request, Response
from dacapo.process import effect_listeners
from dacapo.process.active_run import ACTIVE, Api
from dacapo.scheduling.scheduler import here
from dacapo.service.errors import ServiceError, invalid

_EXECUTION = r"/2025-12-01/durable-executions/(?P<DurableExecutionArn>[^/]+)"
_CALLBACK = r"/2025-12-01/durable-execution-callbacks/(?P<CallbackId>[^/]+)"
_DURABLE = re.compile(r"/\d{4}-\d\d-\d\d/(functions/[^/]+/)?durable-execution")
"""Beginning of the path of every durable operation, in this version of the API or a later one."""
_ROUTES = [
    (method, re.compile(path), operation)
    for method, path, operation in (
        ("POST", r"/2015-03-31/functions/(?P<FunctionName>[^/]+)/invocations", "Invoke"),
        ("POST", rf"{_CALLBACK}/succeed", "SendDurableExecutionCallbackSuccess"),
        ("POST", rf"{_CALLBACK}/fail", "SendDurableExecutionCallbackFailure"),
        ("POST", rf"{_CALLBACK}/heartbeat", "SendDurableExecutionCallbackHeartbeat"),
        ("GET", _EXECUTION, "GetDurableExecution"),
        ("GET", rf"{_EXECUTION}/history", "GetDurableExecutionHistory"),
        ("DELETE", _EXECUTION, "DeleteDurableExecution"),
        ("POST", rf"{_EXECUTION}/stop", "StopDurableExecution"),
        ("POST", rf"{_EXECUTION}/pause", "PauseDurableExecution"),
        ("POST", rf"{_EXECUTION}/resume", "ResumeDurableExecution"),
        ("POST", rf"{_EXECUTION}/checkpoint", "CheckpointDurableExecution"),
        ("GET", rf"{_EXECUTION}/state", "GetDurableExecutionState"),
        (
            "GET",
            r"/2025-12-01/functions/(?P<FunctionName>[^/]+)/durable-executions",
            "ListDurableExecutionsByFunction",
        ),
    )
]


_THROTTLED = ThrottledRetryableChecker()


def install() -> None:
    """Connect every client that is created from now on to the active run, if there is one."""
    entries: list[Any] = [
        ("before-send.lambda", _answer),
        ("before-call", _report),
        ("after-call", _report_throttled),
    ]
    if entries[0] not in handlers.BUILTIN_HANDLERS:
        handlers.BUILTIN_HANDLERS.extend(entries)
        _install_moto()


@contextmanager
def answered_by(api: Api) -> Iterator[None]:
    """Context manager that makes `api` answer the calls."""
    with ACTIVE.serving(api=api):
        yield


def active() -> Api:
    """Return the API of the active run.

    Raises:
        RuntimeError: there is none.
    """
    if ACTIVE.api is None:
        raise RuntimeError("no run is active")
    return ACTIVE.api


def _report_throttled(parsed: Mapping[str, Any], context: object, **_: Any) -> None:
    if _THROTTLED.is_retryable(RetryContext(attempt_number=1, parsed_response=dict(parsed))):
        effect_listeners.report_throttled(context)


def _report(model: Any, params: Mapping[str, Any], **_: Any) -> None:
    if ACTIVE.scheduler is not None:
        ACTIVE.scheduler.switch()
    effect_listeners.report(model.service_model.service_name, model.name, params)


def _answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
    if ACTIVE.api is None:
        return None
    url = urlsplit(str(request.url))
    for method, path, operation in _ROUTES:
        match = path.fullmatch(url.path)
        if match and method == request.method:
            parsed = _parse(request, match.groupdict(), url.query)
            return _send(str(request.url), _respond(partial(active().answer, operation, parsed)))
    if _DURABLE.match(url.path):
        # A newer model has operations that the simulation lacks. They must not reach the network.
        return _send(str(request.url), _respond(partial(_refuse, request.method, url.path)))
    return None


def _install_moto() -> None:
    try:
        from moto.core.models import botocore_stubber as moto  # noqa: PLC0415 - it may not be installed
    except ImportError:
        return
    process_request, lock = moto.process_request, threading.RLock()

    def one_at_a_time(*arguments: Any) -> Any:
        # moto checks a condition and then writes; on AWS this is atomic. Tasks run one at a time,
        # but not the threads of the official runner, nor those that a handler starts.
        with nullcontext() if here() else lock:
            return process_request(*arguments)

    moto.process_request = one_at_a_time  # type: ignore[method-assign,assignment]


def _refuse(method: str, path: str) -> Response:
    raise invalid(f"dacapo does not simulate this operation: {method} {path}")


def _respond(call: Callable[[], Response]) -> Response:
    try:
        response = call()
    except ServiceError as error:
        body = {"Type": "User", "Message": error.message, "message": error.message}
        return Response(body, error.status, {"x-amzn-errortype": error.code})
    return response


def _parse(request: AWSPreparedRequest, path: dict[str, str], query: str) -> Request:
    body: Any = request.body
    if hasattr(body, "read"):
        body = body.read()
    return Request(
        path={name: unquote(value) for name, value in path.items()},
        query=parse_qs(query),
        headers={str(name).lower(): _text(value) for name, value in request.headers.items()},
        body=body.encode() if isinstance(body, str) else bytes(body or b""),
    )


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _send(url: str, response: Response) -> AWSResponse:
    body = response.body
    if not isinstance(body, bytes):
        body = json.dumps(body, default=_to_epoch).encode()
    headers = {"content-length": str(len(body)), **response.headers}
    return AWSResponse(url, response.status, HTTPHeaders.from_dict(headers), _Body(body))


def _to_epoch(value: object) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} is not part of an API response")


class _Body(io.BytesIO):
    """The body of an HTTP response, as botocore reads it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()
