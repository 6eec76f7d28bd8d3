"""Carries the Lambda API of a run to stock boto3, in process.

botocore asks `before-send` handlers for an answer before it opens a connection. The one installed
here answers the calls that concern durable executions and the functions of the run that is under
way; every other call goes on to whoever else answers, and in the end to the network, which a run
refuses.

A client copies the handlers when it is made, so they must be installed before; importing `dacapo`
does it. moto has the same condition, and a module that makes its clients when it is imported is
often imported before moto: so moto, if it is there, is imported as well.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from botocore import handlers
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from dacapo import observing
from dacapo.service.errors import ServiceError
from dacapo.service.messages import Request, Response

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


class Api(Protocol):
    """What answers the calls: the service of a run, or what stands in for it."""

    def answer(self, operation: str, request: Request) -> Response:
        """Answer one call of the operation with this name in botocore's model."""

    def actor(self) -> str:
        """Who acts at this moment: a function's name, or somebody outside."""

    def execution(self) -> str:
        """The ARN of the execution that is acted for at this moment; "" for none."""

    def fail_next(self, operation: str, error: ServiceError, times: int = 1) -> None:
        """Let the next calls of an operation fail."""


_active: list[Api] = []


def install() -> None:
    """Let every client that is made from now on ask the run that is under way, if one is."""
    entries: list[Any] = [("before-send.lambda", _answer), ("before-call", _tell)]
    if entries[0] not in handlers.BUILTIN_HANDLERS:
        handlers.BUILTIN_HANDLERS.extend(entries)
        _install_moto()


@contextmanager
def answered_by(api: Api) -> Iterator[None]:
    """While this lasts, `api` answers."""
    _active.append(api)
    try:
        yield
    finally:
        _active.remove(api)


def active() -> Api:
    """The API of the run that is under way.

    Raises:
        RuntimeError: no run is.
    """
    if not _active:
        raise RuntimeError("no run is under way")
    return _active[-1]


def _tell(model: Any, params: Mapping[str, Any], **_: Any) -> None:
    observing.tell(model.service_model.service_name, model.name, params)


def _answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
    if not _active:
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
        from moto.core.models import botocore_stubber as moto  # noqa: PLC0415 - it may not be there
    except ImportError:
        return
    at_will, lock = moto.process_request, threading.RLock()

    def one_at_a_time(*arguments: Any) -> Any:
        # moto checks a condition and then writes; AWS does both at once. With the official runner
        # a handler and the world call from threads of their own.
        with lock:
            return at_will(*arguments)

    moto.process_request = one_at_a_time  # type: ignore[method-assign,assignment]


def _call(operation: str, request: Request) -> Response:
    try:
        return _active[-1].answer(operation, request)
    except ServiceError as error:
        body = {"Type": "User", "Message": error.message, "message": error.message}
        return Response(body, error.status, {"x-amzn-errortype": error.code})


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
    """What botocore takes for the body of an HTTP response."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()
