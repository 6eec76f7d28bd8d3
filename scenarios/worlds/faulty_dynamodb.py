"""DynamoDB that throttles, is down, or forbids a call: moto's answers every one of them.

What a reply says is lost here behind the call itself, so that moto has done what was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from unittest.mock import patch

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.responses import DynamoHandler


class BrokenError(JsonRESTError):
    """DynamoDB has an error of its own, and does not say what became of the call."""

    code = 500

    def __init__(self) -> None:
        super().__init__("InternalServerError", "Internal server error")


def throttled() -> JsonRESTError:
    """DynamoDB throttles."""
    return JsonRESTError("ThrottlingException", "Rate exceeded")


def forbidden() -> JsonRESTError:
    """A role does not allow the call."""
    return JsonRESTError("AccessDeniedException", "not authorized to perform this action")


Gate = Callable[[Any, Callable[[], Any]], Any]
"""Is given what a call asks for, and what makes it."""


@contextmanager
def dynamodb_behind(reads: Gate, transactions: Gate) -> Iterator[None]:
    """While this lasts, GetItem and TransactWriteItems go through these, which may raise errors."""

    def through(gate: Gate, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda door: gate(door.body, lambda: call(door))

    get, transact = DynamoHandler.get_item, DynamoHandler.transact_write_items
    with (
        patch.object(DynamoHandler, "get_item", through(reads, get)),
        patch.object(DynamoHandler, "transact_write_items", through(transactions, transact)),
    ):
        yield


@contextmanager
def reply_lost(action: str) -> Iterator[None]:
    """While this lasts, the first reply of an action of DynamoDB (`put_item`) does not arrive."""
    call, lost = getattr(DynamoHandler, action), count()

    def lose(door: Any) -> Any:
        answer = call(door)
        if not next(lost):
            raise BrokenError
        return answer

    with patch.object(DynamoHandler, action, lose):
        yield
