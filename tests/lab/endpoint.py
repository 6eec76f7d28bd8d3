"""The simulated Lambda API on a loopback port, for clients in other processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from dacapo.simulation import boto

Answer = tuple[int, str, str]
"""Status, error code, and message."""


@contextmanager
def lambda_endpoint(
    refusals: list[Answer] | None = None, on_call: Callable[[int], None] = lambda _: None
) -> Iterator[tuple[str, list[str]]]:
    """Context manager with the API of the active run behind a URL; yields it and the calls so far.

    Parameters:
        refusals: the answers to the next calls, instead of the simulation's; taken from the list.
        on_call: receives the number of each call, from 1, before it is answered.
    """
    calls: list[str] = []
    left = [] if refusals is None else refusals

    class Endpoint(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(f"{self.headers['Authorization']} GET {urlsplit(self.path).path}")
            on_call(len(calls))
            if left:
                status, code, message = left.pop(0)
                self._send(
                    status, {"x-amzn-errortype": code}, f'{{"message": "{message}"}}'.encode()
                )
                return
            url = f"https://lambda.us-east-1.amazonaws.com{self.path}"
            answer = boto.answer_forwarded(
                "before-send.lambda.Any", "GET", url, list(self.headers.items()), b""
            )
            assert answer is not None, "the simulation does not know the operation"
            self._send(*answer)

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            with suppress(OSError):  # the client may have ended
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", calls
        finally:
            server.shutdown()
