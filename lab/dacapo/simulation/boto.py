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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from botocore import handlers
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from dacapo.process import effect_listeners
from dacapo.process.active_run import ACTIVE, Api
from dacapo.service.errors import ServiceError
from dacapo.service.http import Request, Response

_EXECUTION = r"/2025-12-01/durable-executions/(?P<DurableExecutionArn>[^/]+)"
_CALLBACK = r"/2025-12-01/durable-execution-callbacks/(?P<CallbackId>[^/]+)"
_ROUTES = [
    (method, re.compile(path), operation)
    for method, path, operation in (
        ("POST", r"/2015-03-31/functions/(?P<FunctionName>[^/]+)/invocations", "Invoke"),
        ("POST", rf"{_CALLBACK}/succeed", "SendDurableExecutionCallbackSuccess"),
        ("POST", rf"{_CALLBACK}/fail", "SendDurableExecutionCallbackFailure"),
        ("POST", rf"{_CALLBACK}/heartbeat", "SendDurableExecutionCallbackHeartbeat"),
        ("GET", _EXECUTION, "GetDurableExecution"),
        ("GET", rf"{_EXECUTION}/history", "GetDurableExecutionHistory"),
        ("POST", rf"{_EXECUTION}/stop", "StopDurableExecution"),
        (
            "GET",
            r"/2025-12-01/functions/(?P<FunctionName>[^/]+)/durable-executions",
            "ListDurableExecutionsByFunction",
        ),
    )
]


def install() -> None:
    """Connect every client that is created from now on to the active run, if there is one."""
    entries: list[Any] = [("before-send.lambda", _answer), ("before-call", _report)]
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


def _report(model: Any, params: Mapping[str, Any], **_: Any) -> None:
    effect_listeners.report(model.service_model.service_name, model.name, params)


def _answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
    if ACTIVE.api is None:
        return None
    url = urlsplit(str(request.url))
    for method, path, operation in _ROUTES:
        match = path.fullmatch(url.path)
        if match and method == request.method:
            parsed = _parse(request, match.groupdict(), url.query)
            return _send(str(request.url), _call(operation, parsed))
    return None


def _install_moto() -> None:
    try:
        from moto.core.models import botocore_stubber as moto  # noqa: PLC0415 - it may not be installed
    except ImportError:
        return
    process_request, lock = moto.process_request, threading.RLock()

    def one_at_a_time(*arguments: Any) -> Any:
        # moto checks a condition and then writes; on AWS this is atomic. With the official runner,
        # the handler and the world call from different threads.
        with lock:
            return process_request(*arguments)

    moto.process_request = one_at_a_time  # type: ignore[method-assign,assignment]


def _call(operation: str, request: Request) -> Response:
    try:
        response: Response = active().answer(operation, request)
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
