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
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from functools import cache, partial
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from weakref import WeakSet

from botocore import handlers, loaders, session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from botocore.exceptions import BotoCoreError
from botocore.retries.quota import RetryQuota
from botocore.retries.standard import RetryContext, RetryHandler, ThrottledRetryableChecker

from dacapo.lambda_api.http import Request, Response
from dacapo.process import effect_listeners
from dacapo.process.active_run import ACTIVE, Api
from dacapo.scheduling.baton import real_sleep
from dacapo.scheduling.scheduler import here
from dacapo.service.errors import ServiceError, invalid
from dacapo.service.functions import REGION
from dacapo.simulation import outages

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


_LAMBDA = "before-send.lambda."
_THROTTLED = ThrottledRetryableChecker()
_Plain = tuple[int, dict[str, str], bytes]
"""Status, headers and body of a response."""


def install() -> None:
    """Connect every client that is created from now on to the active run, if there is one."""
    if _is_installed():
        return
    handlers.BUILTIN_HANDLERS.insert(0, ("before-send", _respond_first))  # before moto's
    handlers.BUILTIN_HANDLERS.extend(
        [
            ("before-call", _report),
            ("after-call", _report_undone),
            ("after-call-error", _report_undone),
        ]
    )
    # Before botocore's own, which draws the tokens that the caller did not pass.
    handlers.BUILTIN_HANDLERS.insert(0, ("before-parameter-build", _note_tokens))
    _install_sleep()
    _install_retry_quotas()
    _install_moto()


def _is_installed() -> bool:
    return any(_report in entry for entry in handlers.BUILTIN_HANDLERS)


@contextmanager
def answered_by(api: Api) -> Iterator[None]:
    """Context manager that makes `api` answer the calls."""
    with ACTIVE.serving(api=api, retry_quotas=WeakSet()):
        yield


@contextmanager
def forwarding(
    forward: Callable[[str, str, str, list[tuple[str, Any]], bytes], _Plain | None],
) -> Iterator[None]:
    """Context manager in which requests to services other than Lambda's durable API go elsewhere.

    Parameters:
        forward: takes the event's name, method, URL, headers and body of a request, and returns
            status, headers and body of its response; None if nobody answers there.
    """
    with ACTIVE.serving(forward=forward):
        yield


def answer_forwarded(
    event_name: str, method: str, url: str, headers: list[tuple[str, Any]], body: bytes
) -> _Plain | None:
    """Return what this process answers to a request that another one forwarded."""
    request = AWSPreparedRequest(method, url, HTTPHeaders.from_pairs(headers), body, False)
    _, response = _emitter().emit_until_response(event_name, request=request)
    return response and (response.status_code, dict(response.headers.items()), response.content)


def share_models() -> None:
    """Read each model of an AWS service once in this process, and in those forked from it.

    A session reads megabytes of models for its clients, which takes most of the time of making one.
    """
    make, models = loaders.Loader.__init__, dict[Any, Any]()
    if hasattr(make, "is_sharing"):
        return

    def initialize(self: Any, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        self._cache = models

    initialize.is_sharing = True  # type: ignore[attr-defined]
    loaders.Loader.__init__ = initialize  # type: ignore[method-assign]


def services_of(modules: Iterable[ModuleType]) -> set[str]:
    """Return the services for which modules have clients, as in `boto3.client(SERVICE)`."""
    values = [value for module in modules for value in list(vars(module).values())]
    clients = [value for value in values if isinstance(value, BaseClient)]
    return {client.meta.service_model.service_name for client in clients}


def read_models(services: Iterable[str]) -> None:
    """Read the models of services; see `share_models`."""
    for service in services:
        _read_model(service)


@cache
def _read_model(service: str) -> None:
    with suppress(BotoCoreError):
        session.get_session().create_client(service, region_name=REGION)


@cache
def _emitter() -> Any:
    return session.get_session().get_component("event_emitter")


def _respond_first(request: Any, event_name: str, **_: Any) -> AWSResponse | None:
    """Respond to a request that nobody else must see; a handler of `before-send`.

    botocore calls all its handlers, and takes the first response. So the others have to know.
    """
    response = _fail(request)
    if response is None and event_name.startswith(_LAMBDA):
        response = _answer(request)
    if response is None:
        response = _forward(request, event_name)
    request.is_answered = response is not None
    return response


def _fail(request: Any) -> AWSResponse | None:
    failure = outages.fail(request)
    if failure is None:
        return None
    status, headers, body = failure
    return AWSResponse(str(request.url), status, HTTPHeaders.from_dict(headers), _Body(body))


def _forward(request: AWSPreparedRequest, event_name: str) -> AWSResponse | None:
    if ACTIVE.forward is None:
        return None
    body: Any = request.body
    body = body.read() if hasattr(body, "read") else body
    url, headers = str(request.url), list(request.headers.items())
    response = ACTIVE.forward(event_name, str(request.method), url, headers, body)
    if response is None:
        return None
    status, response_headers, content = response
    return AWSResponse(url, status, HTTPHeaders.from_dict(response_headers), _Body(content))


def active() -> Api:
    """Return the API of the active run.

    Raises:
        RuntimeError: there is none.
    """
    if ACTIVE.api is None:
        raise RuntimeError("no run is active")
    return ACTIVE.api


def _report_undone(
    context: Mapping[str, Any], parsed: Mapping[str, Any] | None = None, **_: Any
) -> None:
    response = RetryContext(attempt_number=1, parsed_response=dict(parsed or {}))
    if context.get(outages.FAILED) or _THROTTLED.is_retryable(response):
        effect_listeners.report_undone(context)


def _note_tokens(params: Mapping[str, Any], model: Any, context: Any, **_: Any) -> None:
    passed = [name for name in model.idempotent_members if params.get(name)]
    context[effect_listeners.TOKENS] = passed


def _report(model: Any, params: Mapping[str, Any], context: Any, **_: Any) -> None:
    context[outages.OPERATION] = model
    if ACTIVE.scheduler is not None:
        ACTIVE.scheduler.switch()
    effect_listeners.report(model.service_model.service_name, model.name, params)


def _answer(request: AWSPreparedRequest) -> AWSResponse | None:
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


def _install_sleep() -> None:
    # botocore keeps the `sleep` that it finds when it is imported, which may be before ours exists.
    create: Any = RetryHandler.__init__
    create.__defaults__ = tuple(
        time.sleep if default is real_sleep else default for default in create.__defaults__
    )


def _install_retry_quotas() -> None:
    # In standard mode, each retry takes tokens from a quota of the client's, which success refills.
    # A run must not find what earlier runs of the process have taken: it begins with a full quota.
    acquire = RetryQuota.acquire

    def of_this_run(quota: RetryQuota, amount: int) -> bool:
        seen = ACTIVE.retry_quotas
        if seen is not None and quota not in seen:
            seen.add(quota)
            quota.release(RetryQuota.INITIAL_CAPACITY)
        return bool(acquire(quota, amount))

    RetryQuota.acquire = of_this_run  # type: ignore[method-assign, assignment]


def _install_moto() -> None:
    try:
        from moto.core.models import botocore_stubber as moto  # noqa: PLC0415 - it may not be installed
    except ImportError:
        return
    process_request, lock = moto.process_request, threading.RLock()

    def one_at_a_time(request: Any) -> Any:
        if getattr(request, "is_answered", False):
            return None
        # moto checks a condition and then writes; on AWS this is atomic. Tasks run one at a time,
        # but not the threads of the official runner, nor those that a handler starts.
        with nullcontext() if here() else lock:
            return process_request(request)

    moto.process_request = one_at_a_time  # type: ignore[method-assign]


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
