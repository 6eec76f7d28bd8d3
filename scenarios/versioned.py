"""Scenarios of `versioned`: a preorder is charged when its item is released, or refused.

Run one with `dacapo run scenarios/versioned.py:settled`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import boto3

from dacapo import START, ExternalEvent, Recording, Scenario
from patterns.starting import execution_name
from patterns.versioned import start
from patterns.versioned.handler import handler
from patterns.versioned.logic import Ending, parse_preorder
from scenarios.worlds.versioned import (
    ACCOUNT,
    BEGIN,
    FUNCTION,
    ORDER_ID,
    Preorders,
    preorders_world,
)

# The world's own, so that tests can count the handlers' calls.
lambda_client = boto3.client("lambda")

RELEASE = timedelta(days=30)
PREORDER = parse_preorder(
    {
        "order_id": ORDER_ID,
        "item": "lamp",
        "cents": 4900,
        "account": ACCOUNT,
        "released_at": START + RELEASE,
    }
)
RESERVED = ["reserved"]
SETTLED = [*RESERVED, "charged", "shipped", "paid"]
REFUSED = [*RESERVED, "canceled"]
"""What is done with a preorder, by its ending."""


def adds_up(recording: Recording, preorders: Preorders) -> None:
    """Everything is done once, in order, and nothing more than the ending says."""
    written = preorders.written
    assert written in (SETTLED[: len(written)], REFUSED[: len(written)]), (
        f"this was done: {written}"
    )
    if recording.status == "SUCCEEDED":
        is_settled = recording.result["ending"] == Ending.SETTLED
        assert written == (SETTLED if is_settled else REFUSED), f"this was done: {written}"


def _scenario(
    *external_events: ExternalEvent,
    world: Callable[[], AbstractContextManager[Preorders]] = preorders_world,
    expects: str | None = None,
    **changes: Any,
) -> Scenario:
    return Scenario(
        handler=handler,
        event=PREORDER.to_json() | changes,
        world=world,
        external_events=external_events,
        expects=expects,
        invariant=adds_up,
        functions={BEGIN: start.handler},
        function_name=FUNCTION,
        execution_name=execution_name(ORDER_ID),
    )


def _submit(preorder: dict[str, Any], _: Preorders) -> None:
    lambda_client.invoke(FunctionName=BEGIN, Payload=json.dumps(preorder).encode())


settled = _scenario()
refused = _scenario(world=partial(preorders_world, is_flagged=True))
suspected_while_it_waits = _scenario(
    ExternalEvent(timedelta(days=10), "the account is suspected of fraud", Preorders.flag)
)
# What was shipped stays shipped, and its seller is paid.
suspected_too_late = _scenario(
    ExternalEvent(timedelta(days=31), "the account is suspected of fraud", Preorders.flag)
)
released_already = _scenario(released_at="2025-12-31T23:00:00Z")
released_too_far_away = _scenario(released_at="2036-12-24T08:00:00Z", expects="StepError")
table_throttles = replace(
    _scenario(
        ExternalEvent(RELEASE - timedelta(hours=1), "the table throttles", Preorders.throttle),
        ExternalEvent(RELEASE + timedelta(hours=4), "the table recovers", Preorders.recover),
    ),
    outage_endings=["SUCCEEDED"],
)
submitted_again = _scenario(
    ExternalEvent(
        timedelta(days=1), "the preorder is submitted again", partial(_submit, PREORDER.to_json())
    )
)
invalid_preorder = _scenario(cents=0, expects="InvalidPreorder")
