"""Requests and responses of the public Lambda API as HTTP has them, without a connection."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import ErrorObject

from dacapo.service import quotas
from dacapo.service.errors import invalid
from dacapo.service.validation import start_of_page


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

    def flag(self, name: str, *, default: bool) -> bool:
        """Return the query parameter `name`, which is true or false."""
        return self.parameter(name, str(default)).lower() == "true"

    def max_items(self) -> int:
        """Return the query parameter MaxItems; 0 for the default (model: ItemCount).

        Raises:
            ServiceError: it is not 0 to 1,000.
        """
        text = self.parameter("MaxItems", "0")
        if not text.isdecimal() or int(text) > quotas.PAGE_ITEMS:
            raise invalid(f"MaxItems must be between 0 and {quotas.PAGE_ITEMS}.")
        return int(text)

    def members(self) -> dict[str, Any]:
        """Return the members of the body; none for an empty body.

        Raises:
            ServiceError: the body is not a JSON object.
        """
        try:
            members = json.loads(self.body or b"{}")
        except ValueError as error:
            raise invalid(f"Could not parse request body into json: {error}") from error
        if not isinstance(members, dict):
            raise invalid("The request body must be a JSON object.")
        return members

    def error(self) -> ErrorObject | None:
        """Return the error in the body; None for an empty body.

        Raises:
            ServiceError: the body is not a JSON object.
        """
        return ErrorObject.from_dict(self.members()) if self.body else None


@dataclass(frozen=True)
class Response:
    """A response: its body as JSON values, or as bytes to send unchanged."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def page(request: Request, member: str, items: Sequence[Any]) -> Response:
    """Return the page of `items` that the request selects with Marker and MaxItems.

    Raises:
        ServiceError: the marker is wrong, or MaxItems is not 0 to 1,000 (model: ItemCount).
    """
    start = start_of_page(request.parameter("Marker"), len(items))
    end = start + (request.max_items() or quotas.DEFAULT_PAGE_ITEMS)
    body: dict[str, Any] = {member: list(items[start:end])}
    return Response(body | ({"NextMarker": str(end)} if end < len(items) else {}))
