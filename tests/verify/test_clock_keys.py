"""A key that is made from the clock shows when a crashed step runs again some time later."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from moto import mock_aws

from dacapo import Code, Scenario, verify
from dacapo.verify.findings import Certainty, ExperimentName


def sending(key: Any) -> Scenario:
    def world() -> Any:
        return mock_aws()

    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        def send(_: Any) -> None:
            sns: Any = boto3.client("sns", "us-east-1")
            sns.create_topic(Name=f"order-{key()}")

        context.step(send, name="send")

    return Scenario(handler=handler, world=world)


def test_a_key_made_from_the_clock_is_suspected() -> None:
    report = verify(sending(lambda: int(time.time())), only=[ExperimentName.CRASHED])
    (finding,) = report.findings
    assert (finding.code, finding.certainty) == (Code.EFFECT_REPEATED, Certainty.SUSPECTED)
    assert "made from the clock" in finding.message
    assert report.experiments[ExperimentName.CRASHED].runs == 5


def test_a_key_that_stays_the_same_is_not() -> None:
    report = verify(sending(lambda: "7"), only=[ExperimentName.CRASHED])
    assert report.findings == []
    assert report.experiments[ExperimentName.CRASHED].runs == 5


@contextmanager
def table() -> Iterator[None]:
    with mock_aws():
        boto3.client("dynamodb", "us-east-1").create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield


def test_a_time_in_an_item_with_the_same_key_is_not() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        def save(_: Any) -> None:
            orders: Any = boto3.resource("dynamodb", "us-east-1").Table("orders")
            orders.update_item(
                Key={"id": "7"},
                UpdateExpression="SET saved_at = :now",
                ExpressionAttributeValues={":now": int(time.time())},
            )

        context.step(save, name="save")

    scenario = Scenario(handler=handler, world=table)
    assert verify(scenario, only=[ExperimentName.CRASHED]).findings == []
