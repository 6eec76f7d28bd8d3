"""A table of preorders, and an account that is suspected of fraud or not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from moto import mock_aws
from moto.dynamodb.responses import DynamoHandler

from patterns.versioned import shop, start
from scenarios.worlds import faulty_dynamodb
from scenarios.worlds.registry import create_table, dynamodb

FUNCTION, BEGIN = "versioned", "versioned-begin"
TABLE = "preorders"
ORDER_ID, ACCOUNT = "P-17", "ada"


@dataclass
class Preorders:
    """A world: the actions of a scenario on the account, and what was done with the preorder.

    Parameters:
        written: the actions in the order of their rows: `["reserved", "charged", …]`, each as often
            as it took effect.
        checks: how often the account was checked.
        is_throttled: True while the table throttles all writes.
    """

    written: list[str] = field(default_factory=list)
    checks: int = 0
    is_throttled: bool = False

    def flag(self) -> None:
        """Suspect the account of fraud."""
        key = {shop.KEY: {"S": shop.account_key(ACCOUNT)}, shop.SORT_KEY: {"S": shop.FLAGGED}}
        dynamodb.put_item(TableName=TABLE, Item=key)

    def throttle(self) -> None:
        """Throttle the table until it recovers."""
        self.is_throttled = True

    def recover(self) -> None:
        """End the throttling."""
        self.is_throttled = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Context manager that notes what is read and written."""
        put_item, get_item = DynamoHandler.put_item, DynamoHandler.get_item

        def write(handler: DynamoHandler) -> Any:
            if self.is_throttled:
                raise faulty_dynamodb.throttled()
            reply = put_item(handler)
            action = handler.body["Item"][shop.SORT_KEY]["S"]
            self.written += [action] if action != shop.FLAGGED else []
            return reply

        def read(handler: DynamoHandler) -> Any:
            self.checks += 1
            return get_item(handler)

        with (
            patch.object(DynamoHandler, "put_item", write),
            patch.object(DynamoHandler, "get_item", read),
        ):
            yield


@contextmanager
def preorders_world(*, is_flagged: bool = False) -> Iterator[Preorders]:
    """Context manager that sets up a table without preorders.

    Parameters:
        is_flagged: True if the account is suspected of fraud.
    """
    world = Preorders()
    variables = {shop.TABLE_VARIABLE: TABLE, start.FUNCTION_VARIABLE: f"{FUNCTION}:$LATEST"}
    with ExitStack() as stack:
        stack.enter_context(mock_aws())
        stack.enter_context(patch.dict(os.environ, variables))
        create_table(TABLE, shop.KEY, shop.SORT_KEY)
        if is_flagged:
            world.flag()
        stack.enter_context(world.watching())
        yield world
