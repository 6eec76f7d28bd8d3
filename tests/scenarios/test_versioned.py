"""A preorder waits for its release: every ending, throttling, crashes, and repeated requests.

`tests/patterns/test_versioned.py` deploys new code while a preorder waits.
"""

from __future__ import annotations

import pytest

from dacapo import Durable, Recording, Scenario
from patterns.versioned import logic, shop
from patterns.versioned.handler import RETURN_PERIOD
from scenarios import versioned as scenarios
from scenarios.versioned import REFUSED, SETTLED
from tests.interference import Moment, crash_at, moments, watching
from tests.scenarios.engines import only_in_virtual_time

IN_VIRTUAL_TIME = "has no exact time for external events"
CLIENTS = [shop.dynamodb]
CALLS = ["PutItem", "GetItem", *["PutItem"] * 3]
"""The calls of a preorder that is settled."""


def assert_ends(durable: Durable, scenario: Scenario, ending: str, written: list[str]) -> Recording:
    """Assert the preorder's ending, and what was done, in order."""
    recording = durable.run(scenario)
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.result == {"order_id": "P-17", "ending": ending}
    assert recording.world.written == written
    return recording


def test_a_preorder_is_charged_shipped_and_settled_once(durable: Durable) -> None:
    recording = assert_ends(durable, scenarios.settled, "settled", SETTLED)
    assert len(recording.invocations) == 3, "the handler was not replayed"
    if durable.engine == "sim":
        total = scenarios.RELEASE.total_seconds() + RETURN_PERIOD.to_seconds()
        assert recording.virtual_seconds == total


def test_a_preorder_of_a_suspicious_account_is_refused_before_it_is_charged(
    durable: Durable,
) -> None:
    recording = assert_ends(durable, scenarios.refused, "refused", REFUSED)
    assert len(recording.invocations) > 1, "the handler was not replayed"
    assert recording.operations_named("charge the account") == []


def test_the_account_is_checked_on_the_day_of_the_release(durable: Durable) -> None:
    only_in_virtual_time(durable, IN_VIRTUAL_TIME)
    assert_ends(durable, scenarios.suspected_while_it_waits, "refused", REFUSED)
    recording = assert_ends(durable, scenarios.suspected_too_late, "settled", SETTLED)
    assert recording.world.checks == 1


def test_a_preorder_of_an_item_that_is_out_already_waits_a_second(durable: Durable) -> None:
    recording = assert_ends(durable, scenarios.released_already, "settled", SETTLED)
    result = recording.operation("reserve the item").result
    assert result["seconds"] == logic.MIN_WAIT_SECONDS


def test_a_release_that_is_too_far_away_fails_before_anything_is_reserved(
    durable: Durable,
) -> None:
    recording = durable.run(scenarios.released_too_far_away)
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert "released_at: must be at most 300 days" in (recording.error.message or "")
    assert recording.world.written == []


def test_an_invalid_preorder_fails_with_the_field_named(durable: Durable) -> None:
    recording = durable.run(scenarios.invalid_preorder)
    assert recording.error is not None
    assert (recording.error.message or "").startswith("cents: ")
    assert recording.operations == []


def test_four_hours_of_throttling_only_delay_a_preorder(durable: Durable) -> None:
    only_in_virtual_time(durable, IN_VIRTUAL_TIME)
    recording = assert_ends(durable, scenarios.table_throttles, "settled", SETTLED)
    assert recording.operation("charge the account").attempts > 10


def test_a_repeated_request_finds_the_preorder_and_starts_no_other(durable: Durable) -> None:
    only_in_virtual_time(durable, "has no execution names")
    recording = assert_ends(durable, scenarios.submitted_again, "settled", SETTLED)
    assert recording.calls, "the request was not repeated"
    assert recording.others == []


def test_a_settled_preorder_makes_these_calls(durable: Durable) -> None:
    only_in_virtual_time(durable, "calls from several threads")
    with watching(CLIENTS) as calls:
        durable.run(scenarios.settled)
    assert calls.names == CALLS


@pytest.mark.parametrize("moment", moments(len(CALLS)), ids=str)
def test_every_action_takes_effect_once_despite_a_crash_at_any_call(
    durable: Durable, moment: Moment
) -> None:
    only_in_virtual_time(durable, "can't crash a handler")
    with crash_at(CLIENTS, moment) as crashes:
        recording = assert_ends(durable, scenarios.settled, "settled", SETTLED)
    assert crashes
    assert len(recording.invocations) > 3, "nothing was invoked again"
