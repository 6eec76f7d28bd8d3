"""The table of the callback registry: one row per callback, read and written by primary key.

Every write is conditional. `expires_at` is the table's TTL attribute. `answer_body` holds what an
external system sent, from the moment it is recorded until it is sent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import boto3
from botocore.exceptions import ClientError

from patterns.callbacks.answers import Answer, Kind
from patterns.transient import HTTP_CLIENT

TABLE_VARIABLE = "CALLBACKS_TABLE"
"""Environment variable with the name of the registry's table."""
KEY = "callback_reference"
"""The table's partition key."""
RETENTION_SECONDS = 7 * 24 * 3600
"""How long a row outlives its deadline, for troubleshooting."""

dynamodb = boto3.client("dynamodb", config=HTTP_CLIENT)


class State(StrEnum):
    """State of a row: waiting, being answered, answered, between two waits, or closed."""

    OPEN = "OPEN"
    INTENT = "INTENT"
    DONE = "DONE"
    BETWEEN = "BETWEEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True)
class Row:
    """One callback.

    Parameters:
        callback_id: the durable service's callback ID; a secret, because it is enough to answer.
        owner: ARN of the execution that waits.
        deadline: time when the callback times out at the latest, epoch seconds.
        not_before: an answer about an earlier event is stale, epoch seconds.
        digest: digest of the recorded answer; "" if there is none.
        answer_kind, answer_body: the recorded answer, until it is sent.
        ended_with: digest of the answer that the handler received; "" if it received none, or
            still waits.
    """

    state: State
    callback_id: str
    owner: str
    deadline: float
    not_before: float
    digest: str = ""
    answer_kind: Kind = "success"
    answer_body: str = ""
    ended_with: str = ""


def read(reference: str) -> Row | None:
    """Return the row with this reference, or None. Strongly consistent."""
    response = dynamodb.get_item(
        TableName=table_name(), Key={KEY: {"S": reference}}, ConsistentRead=True
    )
    return parse_row(response["Item"]) if "Item" in response else None


def intents(*, before: float) -> Iterator[tuple[str, Row]]:
    """Yield the rows that have been in INTENT since before this time, each with its reference.

    The table holds only open callbacks and a few days of closed ones, so an occasional scan is
    cheap; an index would make every write more expensive.

    Parameters:
        before: epoch seconds.
    """
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table_name(),
        ConsistentRead=True,
        FilterExpression="#state = :intent AND intended_at < :before",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={
            ":intent": {"S": State.INTENT.value},
            ":before": {"N": str(before)},
        },
    )
    for page in pages:
        for item in page["Items"]:
            yield item[KEY]["S"], parse_row(item)


def open_row(reference: str, row: Row, now: float, *, instead_of: str = "") -> Row | None:
    """Write a row if the reference is free.

    It is free if there is no row, if the existing row belongs to an earlier wait of the same
    execution, or if its wait is over.

    Parameters:
        now: current time, epoch seconds.
        instead_of: callback ID of the existing row, if its execution is known to have ended.

    Returns:
        None if the row was written, otherwise the existing row. That can be a row for this very
        callback: a retry must not reopen what was answered in the meantime.
    """
    item = {
        KEY: {"S": reference},
        "state": {"S": State.OPEN.value},
        "callback_id": {"S": row.callback_id},
        "owner": {"S": row.owner},
        "deadline": {"N": str(row.deadline)},
        "not_before": {"N": str(row.not_before)},
        "expires_at": {"N": str(int(row.deadline) + RETENTION_SECONDS)},
    }
    try:
        dynamodb.put_item(
            TableName=table_name(),
            Item=item,
            ConditionExpression=(
                "attribute_not_exists(callback_reference) OR (callback_id <> :callback AND "
                "(#owner = :owner OR #state = :closed OR deadline < :now OR "
                "callback_id = :ended))"
            ),
            ExpressionAttributeNames={"#owner": "owner", "#state": "state"},
            ExpressionAttributeValues={
                ":callback": {"S": row.callback_id},
                ":owner": {"S": row.owner},
                ":closed": {"S": State.CLOSED.value},
                ":ended": {"S": instead_of},
                ":now": {"N": str(now)},
            },
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        return _existing_row(error)
    return None


def record_intent(
    reference: str, answer: Answer, *, now: float, about: float
) -> tuple[bool, Row | None]:
    """Record an answer that is about to be sent, if that is allowed.

    It is allowed if the row is open for it, or if the same answer was recorded before.

    Parameters:
        now: current time, epoch seconds.
        about: time of the event that the answer reports, epoch seconds.

    Returns:
        True if the answer may be sent, and the current row (None if there is none).
    """
    try:
        response = dynamodb.update_item(
            TableName=table_name(),
            Key={KEY: {"S": reference}},
            UpdateExpression=(
                "SET #state = :intent, digest = :digest, answer_kind = :kind, "
                "answer_body = :body, intended_at = if_not_exists(intended_at, :now)"
            ),
            ConditionExpression=(
                "(#state = :open AND deadline > :now AND not_before <= :about) "
                "OR (#state = :intent AND digest = :digest)"
            ),
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":open": {"S": State.OPEN.value},
                ":intent": {"S": State.INTENT.value},
                ":digest": {"S": answer.digest},
                ":kind": {"S": answer.kind},
                ":body": {"S": answer.body},
                ":now": {"N": str(now)},
                ":about": {"N": str(about)},
            },
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        return False, _existing_row(error)
    return True, parse_row(response["Attributes"])


def mark(reference: str, callback_id: str, state: State) -> None:
    """Set the state of a row with a recorded answer, unless the handler already closed it."""
    _update(
        reference,
        "SET #state = :state REMOVE answer_kind, answer_body",
        "#state = :intent AND callback_id = :callback",
        {"#state": "state"},
        {
            ":state": {"S": state.value},
            ":intent": {"S": State.INTENT.value},
            ":callback": {"S": callback_id},
        },
    )


def close_row(reference: str, callback_id: str, state: State, ended_with: str) -> None:
    """End the wait of a row, if it is still the row of this callback.

    Parameters:
        state: CLOSED, or BETWEEN if another wait follows.
        ended_with: digest of the answer that the handler received; "" if it received none.
    """
    _update(
        reference,
        "SET #state = :state, ended_with = :ended_with REMOVE answer_kind, answer_body",
        # Not only the owner: all waits of one question share a row, and a close that is retried for
        # a while must not end the next one.
        "callback_id = :callback",
        {"#state": "state"},
        {
            ":state": {"S": state.value},
            ":callback": {"S": callback_id},
            ":ended_with": {"S": ended_with},
        },
    )


def table_name() -> str:
    """Return the table's name."""
    return os.environ[TABLE_VARIABLE]


def parse_row(item: Mapping[str, Mapping[str, Any]]) -> Row:
    """Parse an item of the table."""
    return Row(
        state=State(item["state"]["S"]),
        callback_id=item["callback_id"]["S"],
        owner=item["owner"]["S"],
        deadline=float(item["deadline"]["N"]),
        not_before=float(item["not_before"]["N"]),
        digest=_text(item, "digest"),
        answer_kind="failure" if _text(item, "answer_kind") == "failure" else "success",
        answer_body=_text(item, "answer_body"),
        ended_with=_text(item, "ended_with"),
    )


def _text(item: Mapping[str, Mapping[str, Any]], attribute: str) -> str:
    return str(item[attribute]["S"]) if attribute in item else ""


def _update(
    reference: str,
    update: str,
    condition: str,
    names: Mapping[str, str],
    values: Mapping[str, Mapping[str, str]],
) -> None:
    try:
        dynamodb.update_item(
            TableName=table_name(),
            Key={KEY: {"S": reference}},
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return


def _existing_row(error: ClientError) -> Row | None:
    response: Mapping[str, Any] = error.response
    return parse_row(response["Item"]) if response.get("Item") else None
