"""A call of the public Lambda API and its answer, as HTTP has them, without a connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dacapo.service import quotas


@dataclass(frozen=True)
class Request:
    """A request, taken apart.

    Parameters:
        path: what the route's placeholders stand for, decoded.
        query: the query parameters; a list each.
        headers: header names in lower case.
    """

    path: Mapping[str, str]
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def parameter(self, name: str, default: str = "") -> str:
        """The query parameter `name`, or its first value."""
        return self.query.get(name, [default])[0]


@dataclass(frozen=True)
class Response:
    """A response: its body as JSON values, or as bytes that are sent as they are."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def page(request: Request, member: str, items: list[Any]) -> Response:
    """The page of `items` that the request asks for with Marker and MaxItems."""
    start = int(request.parameter("Marker", "0"))
    length = int(request.parameter("MaxItems", "0")) or quotas.HISTORY_PAGE_ITEMS
    end = start + min(length, quotas.PAGE_ITEMS)
    body: dict[str, Any] = {member: items[start:end]}
    return Response(body | ({"NextMarker": str(end)} if end < len(items) else {}))
