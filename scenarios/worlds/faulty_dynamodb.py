"""DynamoDB that throttles, fails, or denies access: moto itself always succeeds.

A reply is lost only after the call, so moto has done what the call asked for.
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
    """DynamoDB reports an internal error, which leaves it unknown whether the call succeeded."""

    code = 500

    def __init__(self) -> None:
        super().__init__("InternalServerError", "Internal server error")


def throttled() -> JsonRESTError:
    """Return the error for a throttled call."""
    return JsonRESTError("ThrottlingException", "Rate exceeded")


def forbidden() -> JsonRESTError:
    """Return the error for a call that the role doesn't allow."""
    return JsonRESTError("AccessDeniedException", "not authorized to perform this action")


Interceptor = Callable[[Any, Callable[[], Any]], Any]
"""Receives the body of a call and a function that makes the call."""


@contextmanager
def dynamodb_behind(reads: Interceptor, transactions: Interceptor) -> Iterator[None]:
    """Context manager that routes GetItem and TransactWriteItems through these interceptors.

    An interceptor may raise an error instead of making the call.
    """

    def through(interceptor: Interceptor, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda handler: interceptor(handler.body, lambda: call(handler))

    get, transact = DynamoHandler.get_item, DynamoHandler.transact_write_items
    with (
        patch.object(DynamoHandler, "get_item", through(reads, get)),
        patch.object(DynamoHandler, "transact_write_items", through(transactions, transact)),
    ):
        yield


@contextmanager
def reply_lost(action: str) -> Iterator[None]:
    """Context manager that loses the first reply of a DynamoDB action, such as `put_item`."""
    call, replies = getattr(DynamoHandler, action), count()

    def lose(handler: Any) -> Any:
        answer = call(handler)
        if not next(replies):
            raise BrokenError
        return answer

    with patch.object(DynamoHandler, action, lose):
        yield
