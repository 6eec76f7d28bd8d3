"""Requests and responses of the public Lambda API as HTTP has them, without a connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dacapo.service import quotas


@dataclass(frozen=True)
class Request:
    """A parsed request.

    Parameters:
        path: values of the route's placeholders, decoded.
        query: the query parameters, each with a list of values.
        headers: header names in lower case.
    """

    path: Mapping[str, str]
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def parameter(self, name: str, default: str = "") -> str:
        """Return the first value of the query parameter `name`."""
        return self.query.get(name, [default])[0]


@dataclass(frozen=True)
class Response:
    """A response: its body as JSON values, or as bytes to send unchanged."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def page(request: Request, member: str, items: list[Any]) -> Response:
    """Return the page of `items` that the request selects with Marker and MaxItems."""
    start = int(request.parameter("Marker", "0"))
    length = int(request.parameter("MaxItems", "0")) or quotas.HISTORY_PAGE_ITEMS
    end = start + min(length, quotas.PAGE_ITEMS)
    body: dict[str, Any] = {member: items[start:end]}
    return Response(body | ({"NextMarker": str(end)} if end < len(items) else {}))
