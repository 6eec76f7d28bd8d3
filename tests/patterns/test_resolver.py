"""The resolver accepts DMS's event in its documented shape, and reports how it was handled."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parser import ValidationError

from dacapo import Simulation
from patterns import callbacks
from patterns.event_callback import resolver
from scenarios.worlds import beyond_moto
from scenarios.worlds.migration import TASK_ARN, migration_world

AT = datetime(2026, 1, 1, tzinfo=UTC)


def event(event_type: str = "REPLICATION_TASK_STOPPED", **members: Any) -> dict[str, Any]:
    return beyond_moto.task_event(TASK_ARN, event_type, AT) | members


def handle(event: dict[str, Any]) -> Any:
    context: Any = None
    return resolver.handler(json.loads(json.dumps(event)), context)


def test_an_event_that_nobody_waits_for_is_ignored() -> None:
    with migration_world():
        assert handle(event()) == {"outcome": "ignored: no callback is waiting"}


def test_an_event_that_is_not_final_is_ignored_without_reading_the_registry() -> None:
    assert handle(event("REPLICATION_TASK_STARTED")) == {"outcome": "ignored: not a final event"}


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"resources": []},
        {"detail": {}},
        {"detail": {"eventType": None}},
        {"time": "yesterday"},
    ],
)
def test_an_event_of_the_wrong_shape_raises(broken: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        handle(event(**broken) if broken else {})


def test_an_event_with_members_that_aws_may_add_is_accepted() -> None:
    with migration_world():
        assert handle(event(new_member="x"))["outcome"] == "ignored: no callback is waiting"


def test_neither_the_log_nor_the_result_contains_the_callback_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Simulation(0, AT).running(), migration_world():
        callbacks.put(TASK_ARN, "c2VjcmV0", owner="me", timeout=9e9)
        outcome = handle(event())
    logged = " ".join(str(vars(record)) for record in caplog.records)
    assert outcome == {"outcome": "too late: the callback is closed"}
    assert TASK_ARN in logged
    assert "c2VjcmV0" not in logged
