"""The writes of the callback registry: each one conditional, on one item, by primary key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from patterns.callback_rows import (
    KEY,
    RETENTION_SECONDS,
    Row,
    State,
    dynamodb,
    parse_row,
    table,
)


def open_row(reference: str, row: Row, now: float) -> Row | None:
    """Write a row if the reference is free.

    It is free if there is no row, if the existing row belongs to an earlier wait of the same
    execution, or if its wait is over.

    Parameters:
        now: current time, epoch seconds.

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
            TableName=table(),
            Item=item,
            ConditionExpression=(
                "attribute_not_exists(callback_reference) OR (callback_id <> :callback AND "
                "(#owner = :owner OR #state = :closed OR deadline < :now))"
            ),
            ExpressionAttributeNames={"#owner": "owner", "#state": "state"},
            ExpressionAttributeValues={
                ":callback": {"S": row.callback_id},
                ":owner": {"S": row.owner},
                ":closed": {"S": State.CLOSED.value},
                ":now": {"N": str(now)},
            },
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        return _existing_row(error)
    return None


def record_intent(
    reference: str, digest: str, *, now: float, about: float
) -> tuple[bool, Row | None]:
    """Record that an answer is about to be sent, if that is allowed.

    It is allowed if the row is open for it, or if the same answer was recorded before.

    Parameters:
        digest: digest of the answer.
        now: current time, epoch seconds.
        about: time of the event that the answer reports, epoch seconds.

    Returns:
        True if the answer may be sent, and the current row (None if there is none).
    """
    try:
        response = dynamodb.update_item(
            TableName=table(),
            Key={KEY: {"S": reference}},
            UpdateExpression=(
                "SET #state = :intent, digest = :digest, "
                "intended_at = if_not_exists(intended_at, :now) ADD deliveries :one"
            ),
            ConditionExpression=(
                "(#state = :open AND deadline > :now AND not_before <= :about) "
                "OR (#state = :intent AND digest = :digest)"
            ),
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":open": {"S": State.OPEN.value},
                ":intent": {"S": State.INTENT.value},
                ":digest": {"S": digest},
                ":now": {"N": str(now)},
                ":about": {"N": str(about)},
                ":one": {"N": "1"},
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
        "SET #state = :state",
        "#state = :intent AND callback_id = :callback",
        {"#state": "state"},
        {
            ":state": {"S": state.value},
            ":intent": {"S": State.INTENT.value},
            ":callback": {"S": callback_id},
        },
    )


def close_row(reference: str, owner: str, ended_with: str) -> None:
    """Close a row if it exists and belongs to this owner.

    Parameters:
        owner: ARN of the execution that waited.
        ended_with: digest of the answer that the handler received; "" if it received none.
    """
    _update(
        reference,
        "SET #state = :closed, ended_with = :ended_with",
        "#owner = :owner",
        {"#state": "state", "#owner": "owner"},
        {
            ":closed": {"S": State.CLOSED.value},
            ":owner": {"S": owner},
            ":ended_with": {"S": ended_with},
        },
    )


def _update(
    reference: str,
    update: str,
    condition: str,
    names: Mapping[str, str],
    values: Mapping[str, Mapping[str, str]],
) -> None:
    try:
        dynamodb.update_item(
            TableName=table(),
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
