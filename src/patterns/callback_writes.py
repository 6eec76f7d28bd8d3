"""The writes of the callback registry: by primary key, one item each, every one conditional."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from patterns.callback_rows import (
    KEPT_AFTER_DEADLINE_SECONDS,
    KEY,
    Row,
    State,
    dynamodb,
    row_of,
    table,
)


def open_row(reference: str, row: Row, now: float) -> Row | None:
    """Write a row if the reference is free for it.

    It is free if no row is there, if the row there belongs to an earlier wait of the same
    execution, or if the wait that it belongs to is over.

    Returns:
        None if the row was written, else the row that is in the way. That may be this very
        callback's: an attempt that comes again must not reopen what was answered meanwhile.
    """
    item = {
        KEY: {"S": reference},
        "state": {"S": State.OPEN.value},
        "callback_id": {"S": row.callback_id},
        "owner": {"S": row.owner},
        "deadline": {"N": str(row.deadline)},
        "not_before": {"N": str(row.not_before)},
        "expires_at": {"N": str(int(row.deadline) + KEPT_AFTER_DEADLINE_SECONDS)},
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
    except dynamodb.exceptions.ConditionalCheckFailedException as refused:
        return _row_in(refused)
    return None


def record_intent(
    reference: str, digest: str, *, now: float, about: float
) -> tuple[bool, Row | None]:
    """Record that an answer is about to be sent, if it may be.

    It may be sent if the row is open for it, or if this very answer was recorded before.

    Returns:
        Whether it may be sent, and the row as it is now (None if there is none).
    """
    try:
        answer = dynamodb.update_item(
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
    except dynamodb.exceptions.ConditionalCheckFailedException as refused:
        return False, _row_in(refused)
    return True, row_of(answer["Attributes"])


def mark(reference: str, callback_id: str, state: State) -> None:
    """Say what became of a recorded answer, unless the handler has closed the row meanwhile."""
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
    """Close the row of this owner; one that is gone, or another's, is left alone.

    Parameters:
        ended_with: digest of the answer that the handler got; "" if it got none.
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


def _row_in(refused: ClientError) -> Row | None:
    response: Mapping[str, Any] = refused.response
    return row_of(response["Item"]) if response.get("Item") else None
