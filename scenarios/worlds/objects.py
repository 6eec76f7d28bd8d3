"""A loopback server with the part of S3 that reads objects, shared by several processes.

It generates objects while sending them, by repeating a pattern: an object of a gigabyte takes no
more memory than one of a kilobyte. `python -m scenarios.worlds.objects` serves one of that size and
prints its URL.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from scenarios.worlds.listening import listening

PIECE_BYTES = 1024 * 1024
GIB = 1024**3
BUCKET, KEY = "ledgers", "big.jsonl"
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass(frozen=True)
class Repeated:
    """An object that repeats a pattern a number of times."""

    pattern: bytes
    times: int = 1

    @property
    def size(self) -> int:
        """Size in bytes."""
        return len(self.pattern) * self.times

    @cached_property
    def etag(self) -> str:
        """ETag, including its quotes."""
        return f'"{hashlib.md5(self.pattern, usedforsecurity=False).hexdigest()}-{self.times}"'

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        """Yield bytes `start` (inclusive) to `end` (exclusive), one piece at a time."""
        while start < end:
            skip = start % len(self.pattern)
            piece = self.pattern[skip : skip + min(end - start, PIECE_BYTES)]
            yield piece
            start += len(piece)


@dataclass
class Objects:
    """The objects to serve, by path (`/bucket/key`), and the requests received: method and path."""

    served: Mapping[str, Repeated]
    requests: list[tuple[str, str]] = field(default_factory=list)

    def reads(self, path: str) -> int:
        """Return how often an object, or a range of it, was sent."""
        return self.requests.count(("GET", path))


class _Answers(BaseHTTPRequestHandler):
    objects: Objects
    protocol_version = "HTTP/1.1"
    wbufsize = PIECE_BYTES
    disable_nagle_algorithm = True

    def do_any(self) -> None:
        requested = self.objects.served.get(self.path)
        self.objects.requests.append((self.command, self.path))
        if requested is None:
            self._answer(HTTPStatus.NOT_FOUND, {})
        elif self.headers.get("if-none-match") == requested.etag:
            self._answer(HTTPStatus.NOT_MODIFIED, {})
        elif self.headers.get("if-match", requested.etag) != requested.etag:
            self._answer(HTTPStatus.PRECONDITION_FAILED, {})
        else:
            self._send(requested)

    do_GET = do_HEAD = do_any  # noqa: N815 - http.server looks up these names

    def _send(self, requested: Repeated) -> None:
        partial = _RANGE.fullmatch(self.headers.get("range", ""))
        start, end = (int(partial[1]), int(partial[2]) + 1) if partial else (0, requested.size)
        headers = {"etag": requested.etag, "content-length": str(end - start)}
        self._answer(HTTPStatus.PARTIAL_CONTENT if partial else HTTPStatus.OK, headers)
        if self.command == "GET":
            for piece in requested.pieces(start, end):
                self.wfile.write(piece)

    def _answer(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"content-length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def serving(objects: Objects) -> Iterator[str]:
    """Context manager that serves the objects on a free port of 127.0.0.1 and yields the URL."""
    answers = type("Answers", (_Answers,), {"objects": objects})
    with listening(answers, waits_for_clients=False) as url:
        yield url


def gigabyte() -> tuple[Repeated, dict[str, int]]:
    """Build a ledger of slightly more than 1 GiB, and its expected totals."""
    cents = [100_000 + n * 7 for n in range(8_192)]
    lines = [
        json.dumps({"account": f"DE-{n % 97:02}", "cents": c, "text": "rent for January " * 4})
        for n, c in enumerate(cents)
    ]
    pattern = "".join(f"{line}\n" for line in lines).encode()
    times = GIB // len(pattern) + 1
    total = {"records": len(cents) * times, "cents": sum(cents) * times}
    return Repeated(pattern, times), total


def main() -> None:
    """Serve the large ledger until the parent process closes this process's input."""
    objects = Objects({f"/{BUCKET}/{KEY}": gigabyte()[0]})
    with serving(objects) as url:
        print(url, flush=True)  # noqa: T201 - for the parent process
        sys.stdin.read()


if __name__ == "__main__":
    main()
