"""The part of S3 that reads objects, on loopback: for processes that read from one bucket.

Its objects are made while they are sent, from a pattern that comes again and again: one of a
gigabyte takes no more memory than one of a kilobyte. Run by itself it serves one of that size and
prints where: `python -m scenarios.worlds.objects`.
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
    """An object: a pattern, so many times."""

    pattern: bytes
    times: int = 1

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.pattern) * self.times

    @cached_property
    def etag(self) -> str:
        """With its quotes."""
        return f'"{hashlib.md5(self.pattern, usedforsecurity=False).hexdigest()}-{self.times}"'

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` to before `end`, a piece at a time."""
        while start < end:
            skip = start % len(self.pattern)
            piece = self.pattern[skip : skip + min(end - start, PIECE_BYTES)]
            yield piece
            start += len(piece)


@dataclass
class Objects:
    """What is served, by path (`/bucket/key`), and what was asked for: method and path."""

    served: Mapping[str, Repeated]
    asked: list[tuple[str, str]] = field(default_factory=list)

    def reads(self, path: str) -> int:
        """How often an object, or a range of it, was sent."""
        return self.asked.count(("GET", path))


class _Answers(BaseHTTPRequestHandler):
    objects: Objects
    protocol_version = "HTTP/1.1"
    wbufsize = PIECE_BYTES
    disable_nagle_algorithm = True

    def do_any(self) -> None:
        found = self.objects.served.get(self.path)
        self.objects.asked.append((self.command, self.path))
        if found is None:
            self._answer(HTTPStatus.NOT_FOUND, {})
        elif self.headers.get("if-none-match") == found.etag:
            self._answer(HTTPStatus.NOT_MODIFIED, {})
        elif self.headers.get("if-match", found.etag) != found.etag:
            self._answer(HTTPStatus.PRECONDITION_FAILED, {})
        else:
            self._send(found)

    do_GET = do_HEAD = do_any  # noqa: N815 - http.server looks for these

    def _send(self, found: Repeated) -> None:
        asked = _RANGE.fullmatch(self.headers.get("range", ""))
        start, end = (int(asked[1]), int(asked[2]) + 1) if asked else (0, found.size)
        headers = {"etag": found.etag, "content-length": str(end - start)}
        self._answer(HTTPStatus.PARTIAL_CONTENT if asked else HTTPStatus.OK, headers)
        if self.command == "GET":
            for piece in found.pieces(start, end):
                self.wfile.write(piece)

    def _answer(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"content-length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(objects: Objects) -> Iterator[str]:
    """Serve on a free port of 127.0.0.1 while this lasts; gives the URL."""
    answers = type("Answers", (_Answers,), {"objects": objects})
    with listening(answers, waits_for_clients=False) as url:
        yield url


def gigabyte() -> tuple[Repeated, dict[str, int]]:
    """A ledger of a little more than 1 GiB, and what it comes to."""
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
    """Serve the large one until whoever started this closes its input."""
    objects = Objects({f"/{BUCKET}/{KEY}": gigabyte()[0]})
    with serving(objects) as url:
        print(url, flush=True)  # noqa: T201 - it is for whoever started this
        sys.stdin.read()


if __name__ == "__main__":
    main()
