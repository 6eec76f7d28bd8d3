"""Histories as JSON, as the AWS CLI prints them: timestamps are ISO 8601 text."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from dacapo.service.events import Event


def to_json(events: Iterable[Event]) -> list[Any]:
    """Convert events to JSON values."""
    return [values_of(event.to_api()) for event in events]


def from_json(events: Iterable[Any]) -> list[Event]:
    """Parse events from JSON values; the reverse of `to_json`.

    Raises:
        AttributeError, KeyError, TypeError: they are not events of a history.
    """
    return [Event.from_api(_from_json(event)) for event in events]


def values_of(value: Any) -> Any:
    """Convert what boto3 returns to JSON values."""
    match value:
        case datetime():
            return value.isoformat()
        case dict():
            return {member: values_of(part) for member, part in value.items()}
        case list() | tuple():
            return [values_of(part) for part in value]
        case _:
            return value


def _from_json(value: Any) -> Any:
    match value:
        case dict():
            return {
                member: _time(part) if member.endswith("Timestamp") else _from_json(part)
                for member, part in value.items()
            }
        case list():
            return [_from_json(part) for part in value]
        case _:
            return value


def _time(value: str | float) -> datetime:
    # The AWS CLI can be configured to print seconds since 1970.
    if isinstance(value, str):
        time = datetime.fromisoformat(value)
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    return datetime.fromtimestamp(value, UTC)
