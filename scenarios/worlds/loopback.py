"""HTTP on loopback: a small server, and an API Gateway HTTP API on top of it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import urllib3

from scenarios.worlds.listening import listening

lambda_client = boto3.client("lambda")


@dataclass(frozen=True)
class Request:
    """An HTTP request as received, with header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query, decoded."""
        return unquote(urlsplit(self.target).path)


@dataclass(frozen=True)
class Reply:
    """An HTTP response."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def serving(answer: Callable[[Request], Reply]) -> Iterator[str]:
    """Context manager that serves HTTP on a free port of 127.0.0.1, and yields the URL.

    Parameters:
        answer: called with each request, from a thread per request; returns the response.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_any(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            reply = answer(Request(self.command, self.path, headers, body))
            content = reply.body.encode()
            self.send_response(reply.status)
            for name, value in {**reply.headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_any  # noqa: N815 - http.server calls these by name

        def log_message(self, *_: Any) -> None:
            """Log nothing: the path contains a reference."""

    with listening(Handler) as url:
        yield url


def send(
    method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Reply:
    """Send a request and return the response."""
    with urllib3.PoolManager(retries=False, timeout=30) as http:
        response = http.request(method, url, body=body, headers=headers, redirect=False)
    return Reply(response.status, response.data.decode(), dict(response.headers))


@contextmanager
def http_api(routes: Mapping[str, str]) -> Iterator[str]:
    """Context manager that runs an API Gateway HTTP API, and yields its URL.

    moto stores an API's configuration, but serves no requests.

    Parameters:
        routes: function name by route key, `POST /callbacks/{reference}` for example.
    """
    patterns = {
        key: re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(key))) for key in routes
    }

    def answer(request: Request) -> Reply:
        for key, pattern in patterns.items():
            match = pattern.fullmatch(f"{request.method} {request.path}")
            if match:
                event = event_of(request, key, match.groupdict())
                return _reply(routes[key], event)
        return Reply(404, '{"message":"Not Found"}')

    with serving(answer) as url:
        yield url


def event_of(request: Request, route: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the event that API Gateway sends for a request (payload format 2.0)."""
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": request.path,
        "rawQueryString": urlsplit(request.target).query,
        "headers": dict(request.headers),
        "pathParameters": dict(parameters),
        "requestContext": {
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": request.headers.get("user-agent", ""),
            },
            "requestId": "request",
            "routeKey": route,
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }
    if request.body:
        text = _text_of(request)
        event["isBase64Encoded"] = text is None
        event["body"] = base64.b64encode(request.body).decode() if text is None else text
    return event


def _text_of(request: Request) -> str | None:
    kind = request.headers.get("content-type", "")
    if not kind.startswith(("text/", "application/json", "application/x-www-form-urlencoded")):
        return None
    try:
        return request.body.decode()
    except UnicodeDecodeError:
        return None


def _reply(function: str, event: Mapping[str, Any]) -> Reply:
    response = lambda_client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
    if "FunctionError" in response:
        return Reply(500, '{"message":"Internal Server Error"}')
    result = json.loads(response["Payload"].read())
    return Reply(result["statusCode"], result.get("body", ""), result.get("headers", {}))
