"""Execution histories as JSON, in the form in which the AWS CLI prints them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


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
