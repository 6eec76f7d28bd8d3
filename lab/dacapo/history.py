"""Execution histories: what their events say, and as JSON, as the AWS CLI prints them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import OperationStatus, OperationType

from dacapo.service.events import ENDINGS, KINDS, Event

_MEANINGS = {
    f"{kind_name}{status_name}": (kind, status)
    for kind, kind_name in KINDS.items()
    for status, status_name in {OperationStatus.STARTED: "Started", **ENDINGS}.items()
}


def meaning_of(event: Event) -> tuple[OperationType, OperationStatus] | None:
    """What an event is about and what it says of it; None for an event of no operation."""
    return _MEANINGS.get(event["EventType"])


def details_of(event: Event) -> Mapping[str, Any]:
    """What an event says, whatever its type."""
    details: Mapping[str, Any] = event.get(f"{event['EventType']}Details") or {}
    return details


def retry_of(event: Event) -> Mapping[str, Any]:
    """What an event says of an attempt and of the pause after it."""
    retry: Mapping[str, Any] = details_of(event).get("RetryDetails") or {}
    return retry


def to_json(value: Any) -> Any:
    """A history, or any part of one, with its times as ISO 8601 text."""
    match value:
        case datetime():
            return value.isoformat()
        case dict():
            return {member: to_json(part) for member, part in value.items()}
        case list() | tuple():
            return [to_json(part) for part in value]
        case _:
            return value


def from_json(value: Any) -> Any:
    """A history, or any part of one, with its times as `datetime`; undoes `to_json`."""
    match value:
        case dict():
            return {
                member: _time(part) if member.endswith("Timestamp") else from_json(part)
                for member, part in value.items()
            }
        case list():
            return [from_json(part) for part in value]
        case _:
            return value


def _time(value: str | float) -> datetime:
    # The AWS CLI prints seconds since 1970 if it is told to.
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return datetime.fromtimestamp(value, UTC)
