"""An order as a saga, with nothing but AWS's own runner, moto, and botocore's stubs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from botocore.stub import Stubber

from patterns.workflow import ledger_writes
from patterns.workflow.handler import handler
from patterns.workflow.ledger_writes import KEY, STATUS, ReservationStatus

dynamodb = boto3.client("dynamodb")

ORDER = {
    "order_id": "A-17",
    "item": "lamp",
    "quantity": 2,
    "cents": 4900,
    "account": "ada",
    "region": "north",
}
SUPPLIES = {"stock#lamp": 10, "account#ada": 10_000, "van#north": 3}
PARCEL = "order#A-17#parcel"

Before = dict[int, Callable[[], object]]


@pytest.fixture
def runner(
    runner_of: Callable[[Any], DurableFunctionTestRunner],
    create_table: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> DurableFunctionTestRunner:
    monkeypatch.setenv(ledger_writes.TABLE_VARIABLE, "shop")
    create_table("shop", KEY)
    for supply, amount in SUPPLIES.items():
        set_supply(supply, amount)
    return runner_of(handler)


def set_supply(supply: str, amount: int) -> None:
    item = {KEY: {"S": supply}, "available": {"N": str(amount)}}
    dynamodb.put_item(TableName="shop", Item=item)


def supplies() -> dict[str, int]:
    items = dynamodb.scan(TableName="shop")["Items"]
    return {i[KEY]["S"]: int(i["available"]["N"]) for i in items if "available" in i}


def pick_up() -> None:
    """Pick up the parcel, as the carrier."""
    dynamodb.update_item(
        TableName="shop",
        Key={KEY: {"S": PARCEL}},
        UpdateExpression=f"SET {STATUS} = :picked_up",
        ConditionExpression=f"{STATUS} = :held",
        ExpressionAttributeValues={
            ":picked_up": {"S": ReservationStatus.PICKED_UP.value},
            ":held": {"S": ReservationStatus.HELD.value},
        },
    )


def test_an_order_is_reserved_paid_and_shipped_once(
    runner: DurableFunctionTestRunner, bodies: list[int], before: Before
) -> None:
    before[3] = pick_up
    result = runner.run(json.dumps(ORDER))
    assert json.loads(str(result.result)) == {"order_id": "A-17", "ending": "shipped"}
    assert supplies() == {"stock#lamp": 8, "account#ada": 5_100, "van#north": 2}
    assert len(bodies) == 3, "the handler was not replayed"


def test_an_order_that_is_declined_releases_the_goods(
    runner: DurableFunctionTestRunner, bodies: list[int]
) -> None:
    set_supply("account#ada", 4_899)
    result = runner.run(json.dumps(ORDER))
    assert json.loads(str(result.result))["ending"] == "declined"
    assert supplies() == SUPPLIES | {"account#ada": 4_899}
    assert len(bodies) == 1, "a refusal was retried"


def test_a_parcel_that_is_never_picked_up_is_withdrawn_and_everything_compensated(
    runner: DurableFunctionTestRunner, bodies: list[int]
) -> None:
    result = runner.run(json.dumps(ORDER))
    assert json.loads(str(result.result))["ending"] == "not picked up"
    assert supplies() == SUPPLIES
    assert len(bodies) == 9, "there was not one invocation per check"


def test_a_throttled_step_is_retried_and_takes_effect_once(
    runner: DurableFunctionTestRunner, bodies: list[int], before: Before
) -> None:
    # A stub answers every call of its client, so it stands in for the table in one invocation only.
    table = Stubber(ledger_writes.dynamodb)
    table.add_client_error("transact_write_items", "ThrottlingException")
    table.activate()
    before[2], before[4] = table.deactivate, pick_up
    result = runner.run(json.dumps(ORDER))
    assert json.loads(str(result.result))["ending"] == "shipped"
    assert supplies()["stock#lamp"] == 8
    assert len(bodies) == 4, "the step was not retried"


def test_an_invalid_order_fails_the_execution_and_reserves_nothing(
    runner: DurableFunctionTestRunner,
) -> None:
    result = runner.run(json.dumps(ORDER | {"quantity": 0}))
    assert result.error is not None
    assert str(result.error.type).endswith("InvalidOrder")
    assert supplies() == SUPPLIES
