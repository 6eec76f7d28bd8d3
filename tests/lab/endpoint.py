"""The simulated Lambda API on a loopback port, for clients in other processes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from dacapo.simulation import boto

Answer = tuple[int, str, str]
"""Status, error code, and message."""


@contextmanager
def lambda_endpoint(refusals: Sequence[Answer] = ()) -> Iterator[tuple[str, list[str]]]:
    """Context manager with the API of the active run behind a URL; yields it and the calls so far.

    Parameters:
        refusals: the answers to the first calls, instead of the simulation's.
    """
    calls: list[str] = []
    left = list(refusals)

    class Endpoint(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - http.server looks up this name
            calls.append(f"{self.headers['Authorization']} GET {urlsplit(self.path).path}")
            if left:
                status, code, message = left.pop(0)
                self._send(status, {"x-amzn-errortype": code}, f'{{"message": "{message}"}}'.encode())
                return
            url = f"https://lambda.us-east-1.amazonaws.com{self.path}"
            answer = boto.answer_forwarded(
                "before-send.lambda.Any", "GET", url, list(self.headers.items()), b""
            )
            assert answer is not None, "the simulation does not know the operation"
            self._send(*answer)

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
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
