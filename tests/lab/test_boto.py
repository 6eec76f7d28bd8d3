"""What stands between stock boto3 and moto."""

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
    answer = dynamodb.update_item(
        TableName="counters",
        Key={COUNTER},
        UpdateExpression="ADD calls :one",
        ExpressionAttributeValues={{":one": {{"N": "1"}}}},
        ReturnValues="ALL_NEW",
    )
    print("calls:", answer["Attributes"]["calls"]["N"])
"""


@pytest.fixture
def impatient_threads() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("impatient_threads")
def test_a_condition_and_its_write_are_one_call_even_when_threads_race() -> None:
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        dynamodb.create_table(**TABLE)
        dynamodb.put_item(TableName="counters", Item={**COUNTER, "turn": {"N": "0"}})
        won: list[int] = []

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
                    won.append(turn)
                except dynamodb.exceptions.ConditionalCheckFailedException:
                    pass

        threads = [threading.Thread(target=take_every_turn) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(won) == list(range(ROUNDS)), "a turn was taken twice, or by nobody"


@pytest.mark.parametrize(
    "before", ["import boto3", "import moto, boto3", "import boto3, moto.core"]
)
def test_moto_answers_a_call_once_whenever_it_was_imported(before: str) -> None:
    program = f"import dacapo\n{before}\n{COUNTS_ONE_CALL}"
    ran = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert ran.stdout == "calls: 1\n", ran.stderr
