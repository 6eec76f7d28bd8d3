"""A preorder that outlives its code, with nothing but AWS's own runner, moto, and stubs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from botocore.stub import Stubber

from patterns.versioned import handler, logic, shop

dynamodb = boto3.client("dynamodb")

TABLE = "preorders"
PREORDER = {
    "order_id": "P-17",
    "item": "lamp",
    "cents": 4900,
    "account": "ada",
}

Before = dict[int, Callable[[], object]]
RunnerOf = Callable[[Any], DurableFunctionTestRunner]


@durable_execution
def first(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    """Run the handler as it was deployed first, up to the wait for returns."""
    preorder = logic.parse_preorder(event)

    def reserve(_: object) -> dict[str, int]:
        shop.reserve(preorder)
        return {"seconds": logic.seconds_until_release(preorder, datetime.now(UTC))}

    reserved = context.step(reserve, name="reserve the item")
    context.wait(Duration.from_seconds(reserved["seconds"]), name="wait for the release")
    context.step(lambda _: shop.charge(preorder), name="charge the account")
    context.step(lambda _: shop.ship(preorder), name="ship the item")
    context.wait(handler.RETURN_PERIOD, name="wait for returns")
    raise AssertionError("new code should have taken over")


@pytest.fixture(autouse=True)
def table(create_table: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(shop.TABLE_VARIABLE, TABLE)
    create_table(TABLE, shop.KEY, shop.SORT_KEY)


def flag() -> None:
    """Suspect the account of fraud."""
    key = {shop.KEY: {"S": "account#ada"}, shop.SORT_KEY: {"S": shop.FLAGGED}}
    dynamodb.put_item(TableName=TABLE, Item=key)


def done() -> set[str]:
    """Return what was done with the preorder."""
    items = dynamodb.scan(TableName=TABLE)["Items"]
    return {i[shop.SORT_KEY]["S"] for i in items if i[shop.KEY]["S"] == "order#P-17"}


def ending(runner: DurableFunctionTestRunner) -> str:
    # The clock that the handler reads is the test's own.
    released_at = (datetime.now(UTC) + timedelta(minutes=2)).isoformat()
    preorder = json.dumps({**PREORDER, "released_at": released_at})
    result = runner.run(preorder, execution_timeout=31_622_400)
    return str(json.loads(str(result.result))["ending"])


def test_a_preorder_is_charged_shipped_and_settled(runner_of: RunnerOf, bodies: list[int]) -> None:
    assert ending(runner_of(handler.handler)) == "settled"
    assert done() == {"reserved", "charged", "shipped", "paid"}
    assert len(bodies) == 3, "the handler was not replayed"


def test_a_preorder_of_a_suspicious_account_is_refused(
    runner_of: RunnerOf, bodies: list[int], before: Before
) -> None:
    before[2] = flag
    assert ending(runner_of(handler.handler)) == "refused"
    assert done() == {"reserved", "canceled"}
    assert len(bodies) == 2


@pytest.mark.parametrize("invocation", [2, 3])
def test_a_preorder_that_began_before_the_check_continues_without_it(
    runner_of: RunnerOf, bodies: list[int], before: Before, invocation: int
) -> None:
    """Today's code takes over while it waits for the release, or for returns."""
    flag()
    code = [first]

    def latest(event: Any, context: Any) -> Any:
        return code[-1](event, context)

    before[invocation] = lambda: code.append(handler.handler)
    assert ending(runner_of(latest)) == "settled"
    assert done() == {"reserved", "charged", "shipped", "paid"}
    assert len(bodies) == 3, "the handler was not replayed"


def test_a_throttled_step_is_retried_and_takes_effect_once(
    runner_of: RunnerOf, bodies: list[int], before: Before
) -> None:
    # A stub answers every call of its client, so it stands in for the table in one invocation only.
    throttling = Stubber(shop.dynamodb)
    throttling.add_client_error("put_item", "ThrottlingException")
    throttling.activate()
    before[2] = throttling.deactivate
    assert ending(runner_of(handler.handler)) == "settled"
    assert len(bodies) == 4, "the step was not retried"
