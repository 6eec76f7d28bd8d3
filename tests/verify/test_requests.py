"""What a request does when it is sent again: an increment is proved, a send is a lint."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import StepConfig, StepSemantics
from aws_durable_execution_sdk_python.retries import RetryPresets
from botocore.exceptions import ClientError
from moto import mock_aws

from dacapo import Scenario
from dacapo.process import requests
from dacapo.verify.findings import Certainty, Code, ExperimentName
from dacapo.verify.verifier import verify
from tests.depth import every

TABLE, KEY = "stock", {"id": {"S": "tea"}}
PLAIN = "https://sqs.us-east-1.amazonaws.com/123456789012/plain"
FIFO = "https://sqs.us-east-1.amazonaws.com/123456789012/ordered.fifo"
TOPIC = "arn:aws:sns:us-east-1:123456789012:news"
ROLE = "arn:aws:iam::123456789012:role/machine"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:machine"
ONE, LIST = {":n": {"N": "1"}}, {":l": {"L": [{"S": "sold"}]}}

dynamodb = boto3.client("dynamodb")
sqs = boto3.client("sqs")
sns = boto3.client("sns")
events = boto3.client("events")
states = boto3.client("stepfunctions")


def update(expression: str, values: Any, **more: Any) -> None:
    with suppress(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.update_item(
            TableName=TABLE,
            Key=KEY,
            UpdateExpression=expression,
            ExpressionAttributeValues=values,
            **more,
        )


def transact(**more: Any) -> None:
    part: Any = {
        "TableName": TABLE,
        "Key": KEY,
        "UpdateExpression": "SET left = left - :n",
        "ExpressionAttributeValues": ONE,
    }
    dynamodb.transact_write_items(TransactItems=[{"Update": part}], **more)


def partiql(statement: str) -> None:
    with suppress(ClientError):
        dynamodb.execute_statement(Statement=statement)


INCREMENTS: dict[str, Callable[[], object]] = {
    "ADD": lambda: update("ADD sold :n", ONE),
    "SET x = x + n": lambda: update("SET left = left + :n", ONE),
    "SET x = n + x": lambda: update("SET left = :n + left", ONE),
    "SET x = if_not_exists(x) + n": lambda: update("SET sold = if_not_exists(sold, :n) + :n", ONE),
    "SET #x = #x - n": lambda: update(
        "SET #l = #l - :n", ONE, ExpressionAttributeNames={"#l": "left"}
    ),
    "list_append": lambda: update("SET notes = list_append(notes, :l)", LIST),
    "in a transaction": transact,
    "PartiQL": lambda: partiql(f"UPDATE {TABLE} SET left = left + 1 WHERE id = 'tea'"),
}
IDEMPOTENT: dict[str, Callable[[], object]] = {
    "SET x = n": lambda: update("SET left = :n", ONE),
    "SET x = y + n": lambda: update("SET sold = left + :n", ONE),
    "ADD to a set": lambda: update("ADD tags :t", {":t": {"SS": ["hot"]}}),
    "under a condition": lambda: update(
        "SET left = left + :n", ONE, ConditionExpression="attribute_not_exists(sold)"
    ),
    "in a transaction with a token": lambda: transact(ClientRequestToken="order-17"),
    "PartiQL, a constant": lambda: partiql(f"UPDATE {TABLE} SET left = 3 WHERE id = 'tea'"),
    "PartiQL, under a condition": lambda: partiql(
        f"UPDATE {TABLE} SET left = left + 1 WHERE id = 'tea' AND left = 5"
    ),
    "PutItem": lambda: dynamodb.put_item(TableName=TABLE, Item={"id": {"S": "milk"}}),
    "a message with an ID": lambda: sqs.send_message(
        QueueUrl=FIFO, MessageBody="x", MessageGroupId="all", MessageDeduplicationId="17"
    ),
    "a named execution": lambda: states.start_execution(stateMachineArn=MACHINE, name="order-17"),
}
SENDS: dict[str, Callable[[], object]] = {
    "SQS": lambda: sqs.send_message(QueueUrl=PLAIN, MessageBody="x"),
    "SQS, a batch": lambda: sqs.send_message_batch(
        QueueUrl=PLAIN, Entries=[{"Id": "1", "MessageBody": "x"}]
    ),
    "SNS": lambda: sns.publish(TopicArn=TOPIC, Message="x"),
    "EventBridge": lambda: events.put_events(
        Entries=[{"Source": "shop", "DetailType": "sold", "Detail": "{}"}]
    ),
    "Step Functions": lambda: states.start_execution(stateMachineArn=MACHINE),
}


@contextmanager
def shop() -> Iterator[None]:
    with mock_aws():
        dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.put_item(TableName=TABLE, Item={**KEY, "left": {"N": "5"}, "notes": {"L": []}})
        sqs.create_queue(QueueName="plain")
        sqs.create_queue(QueueName="ordered.fifo", Attributes={"FifoQueue": "true"})
        sns.create_topic(Name="news")
        machine = {"StartAt": "end", "States": {"end": {"Type": "Succeed"}}}
        states.create_state_machine(name="machine", definition=json.dumps(machine), roleArn=ROLE)
        yield


def codes_of(
    action: Callable[[], object],
    experiment: ExperimentName,
    config: StepConfig | None = None,
) -> list[tuple[Code, Certainty]]:
    """Verify a handler that does this in a step."""

    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        context.step(lambda _: bool(action()), name="do it", config=config)

    report = verify(Scenario(handler=handler, world=shop), only=[experiment])
    assert report.experiments[experiment].runs
    return [(finding.code, finding.certainty) for finding in report.findings]


@pytest.mark.parametrize("name", every(9, INCREMENTS))
def test_an_increment_that_a_crash_repeats_is_proved(name: str) -> None:
    codes = codes_of(INCREMENTS[name], ExperimentName.CRASHED)
    assert codes == [(Code.EFFECT_REPEATED, Certainty.PROVED)]


@pytest.mark.parametrize("name", every(9, IDEMPOTENT))
def test_a_request_that_changes_nothing_more_when_it_is_repeated_is_no_finding(name: str) -> None:
    assert codes_of(IDEMPOTENT[name], ExperimentName.CRASHED) == []


@pytest.mark.parametrize("name", every(9, SENDS))
def test_a_send_that_a_crash_may_repeat_is_a_lint(name: str) -> None:
    codes = codes_of(SENDS[name], ExperimentName.REFERENCE_RUN)
    assert codes == [(Code.EFFECT_MAY_REPEAT, Certainty.LINT)]


def test_a_send_in_a_step_that_runs_at_most_once_is_no_finding() -> None:
    config = StepConfig(
        step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY, retry_strategy=RetryPresets.none()
    )
    assert codes_of(SENDS["SQS"], ExperimentName.REFERENCE_RUN, config) == []


STATEMENTS = {
    "UPDATE t SET n = n + 1": True,
    "UPDATE t SET n = n + 1, m = 2 WHERE id = 7": True,
    "update accounts set balance = balance - 10 where id = 7": True,
    "UPDATE t SET n = n + 1 WHERE n = 4": False,
    "UPDATE t SET n = m + 1": False,
    "UPDATE t SET n = 1": False,
    "INSERT INTO t VALUES (1 + 2)": False,
    "SELECT n + 1 FROM t": False,
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_is_an_increment_if_it_adds_to_what_it_changes(statement: str) -> None:
    assert requests.increments(statement) == STATEMENTS[statement]


@pytest.mark.parametrize(
    ("operation", "statement", "is_query"),
    [
        ("ExecuteStatement", "SELECT * FROM stock", True),
        ("ExecuteStatement", "DELETE FROM stock WHERE id = 'tea'", False),
        ("GetItem", "", True),
        ("PutItem", "", False),
    ],
)
def test_a_statement_that_selects_is_a_query(
    operation: str, statement: str, is_query: bool
) -> None:
    request = {"body": json.dumps({"Statement": statement})}
    assert requests.only_queries(operation, request) == is_query
