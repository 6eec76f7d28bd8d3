"""Stock boto3 reaches moto through the lab: each call once, and atomically."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

COUNTER = {"name": {"S": "counter"}}
ROUNDS = 100
TABLE: dict[str, Any] = {
    "TableName": "counters",
    "KeySchema": [{"AttributeName": "name", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "name", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
COUNTS_ONE_CALL = f"""
dynamodb = boto3.client("dynamodb")
from moto import mock_aws

with mock_aws():
    dynamodb.create_table(**{TABLE})
    response = dynamodb.update_item(
        TableName="counters",
        Key={COUNTER},
        UpdateExpression="ADD calls :one",
        ExpressionAttributeValues={{":one": {{"N": "1"}}}},
        ReturnValues="ALL_NEW",
    )
    print("calls:", response["Attributes"]["calls"]["N"])
"""


@pytest.fixture
def impatient_threads() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("impatient_threads")
def test_a_conditional_write_is_atomic_even_if_threads_race() -> None:
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        dynamodb.create_table(**TABLE)
        dynamodb.put_item(TableName="counters", Item={**COUNTER, "turn": {"N": "0"}})
        turns: list[int] = []

        def take_every_turn() -> None:
            for turn in range(ROUNDS):
                try:
                    dynamodb.update_item(
                        TableName="counters",
                        Key=COUNTER,
                        UpdateExpression="SET turn = :next",
                        ConditionExpression="turn = :turn",
                        ExpressionAttributeValues={
                            ":turn": {"N": str(turn)},
                            ":next": {"N": str(turn + 1)},
                        },
                    )
                    turns.append(turn)
                except dynamodb.exceptions.ConditionalCheckFailedException:
                    pass

        threads = [threading.Thread(target=take_every_turn) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(turns) == list(range(ROUNDS)), "a turn was taken twice or not at all"


@pytest.mark.parametrize(
    "imports", ["import boto3", "import moto, boto3", "import boto3, moto.core"]
)
def test_moto_handles_a_call_once_in_any_import_order(imports: str) -> None:
    program = f"import dacapo\n{imports}\n{COUNTS_ONE_CALL}"
    result = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert result.stdout == "calls: 1\n", result.stderr
