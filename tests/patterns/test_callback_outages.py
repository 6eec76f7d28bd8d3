"""An outage costs the callback patterns time, but never an answer."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dacapo import Durable, ExternalEvent, Recording, Scenario, outage, pause, resume, run
from patterns.callbacks import answers, waiting
from patterns.callbacks.table import State
from patterns.webhook_callback import handler as webhook
from scenarios import approval, event_callback, webhook_callback
from scenarios.worlds.approval import ApprovalWorld
from scenarios.worlds.migration import MigrationWorld
from tests.depth import every

MAIN = {
    "event_callback": (event_callback.in_production, "close event 1"),
    "webhook_callback": (webhook_callback.in_production, "close transcript"),
    "approval": (approval.in_production, "close decision 1"),
}
"""The main scenario of each pattern, and the operation that closes its row."""
SEEDS = range(10)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
KINDS = ("throttled", "server error", "refused", "hanging")


def with_outage(scenario: Scenario, service: str, **when: Any) -> Scenario:
    return replace(scenario, external_events=(*scenario.external_events, outage(service, **when)))


def run_with_outage(scenario: Scenario, service: str, seed: int = 0, **when: Any) -> Recording:
    """Run a scenario with an outage that fails at least one call; its invariant holds."""
    recording = run(with_outage(scenario, service, **when), seed=seed)
    assert recording.failed_calls, "the outage did not show"
    assert recording.broken_invariant is None
    return recording


def assert_ends_as_without_outage(recording: Recording, scenario: Scenario) -> None:
    undisturbed = run(scenario)
    assert (recording.status, recording.result) == (undisturbed.status, undisturbed.result)


# -- after the service took the answer -------------------------------------------------------------


@pytest.mark.parametrize("seed", every(10, SEEDS))
@pytest.mark.parametrize("pattern", MAIN)
def test_an_answer_survives_45_seconds_without_the_table(pattern: str, seed: int) -> None:
    scenario, close = MAIN[pattern]
    recording = run_with_outage(
        scenario,
        "dynamodb",
        seed,
        lasts=timedelta(seconds=45),
        kind=KINDS[seed % 4],
        from_operation=close,
    )
    assert_ends_as_without_outage(recording, scenario)
    assert recording.world.row.state is State.CLOSED


@pytest.mark.parametrize("seed", every(10, SEEDS))
@pytest.mark.parametrize("pattern", ["approval", "webhook_callback"])
def test_closing_a_row_needs_no_kms(pattern: str, seed: int) -> None:
    scenario, close = MAIN[pattern]
    out = with_outage(scenario, "kms", lasts=24 * HOUR, kind=KINDS[seed % 4], from_operation=close)
    recording = run(out, seed=seed)
    assert_ends_as_without_outage(recording, scenario)
    assert recording.failed_calls == []
    assert recording.world.row.state is State.CLOSED


@pytest.mark.parametrize("seed", every(10, SEEDS))
@pytest.mark.parametrize("pattern", ["event_callback", "webhook_callback"])
def test_a_handler_goes_on_with_its_answer_if_the_table_is_out_for_hours(
    pattern: str, seed: int
) -> None:
    """The row stays open until the sweep settles it; the invariant says that it tells the truth."""
    scenario, close = MAIN[pattern]
    recording = run_with_outage(
        scenario, "dynamodb", seed, lasts=5 * HOUR, kind=KINDS[seed % 4], from_operation=close
    )
    assert_ends_as_without_outage(recording, scenario)
    delay = recording.virtual_seconds - run(scenario).virtual_seconds
    # Half jitter: up to twice as long as it has to. Each attempt may hang, for 4 s.
    assert 0 < delay < 2 * waiting.CLOSING_OUTLASTS.to_seconds() + 2 * 60
    assert recording.operation(close).status == "FAILED"


@pytest.mark.parametrize("seed", every(10, SEEDS))
def test_a_decision_survives_hours_without_the_table_and_the_customer_learns_it(seed: int) -> None:
    scenario, close = MAIN["approval"]
    recording = run_with_outage(
        scenario, "dynamodb", seed, lasts=5 * HOUR, kind=KINDS[seed % 4], from_operation=close
    )
    assert recording.result["status"] == recording.world.status == "accepted"
    assert recording.virtual_seconds > (5 * HOUR).total_seconds()
    assert recording.world.emails[-1][1] == "Order A-17 was accepted"


@pytest.mark.parametrize("seed", every(10, SEEDS))
@pytest.mark.parametrize("service", ["events", "sesv2"])
def test_the_news_of_a_decision_outlasts_hours(service: str, seed: int) -> None:
    scenario, close = MAIN["approval"]
    recording = run_with_outage(
        scenario, service, seed, lasts=5 * HOUR, kind=KINDS[seed % 4], from_operation=close
    )
    assert recording.world.events == ["order_placed", "order_accepted"]
    assert recording.world.emails[-1][1] == "Order A-17 was accepted"


# -- before the job is submitted -------------------------------------------------------------------


@pytest.mark.parametrize("seed", every(10, SEEDS))
@pytest.mark.parametrize("service", ["dynamodb", "kms", "secretsmanager"])
def test_a_job_is_submitted_once_the_outage_is_over_to_a_wait_that_is_still_open(
    service: str, seed: int
) -> None:
    """The outage is longer than the heartbeat timeout, which counts from the beginning."""
    assert timedelta(seconds=webhook.HEARTBEAT_TIMEOUT.to_seconds()) < 5 * HOUR
    scenario = webhook_callback.in_production
    recording = run_with_outage(
        scenario,
        service,
        seed,
        lasts=5 * HOUR,
        kind=KINDS[seed % 4],
        from_operation="open transcript",
    )
    assert_ends_as_without_outage(recording, scenario)
    assert recording.operation("open transcript").attempts > 1


def test_no_job_is_submitted_to_a_wait_that_is_over() -> None:
    """With the service itself out, no heartbeat keeps the callback open."""
    out = outage("lambda", "dynamodb", lasts=3 * HOUR, from_operation="open transcript")
    recording = run(replace(webhook_callback.never_answers, external_events=[out]))
    assert recording.error is not None
    assert "went silent" in (recording.error.message or "")
    assert recording.world.jobs == {}


@pytest.mark.parametrize("service", ["dynamodb", "kms", "sesv2"])
def test_a_question_that_cannot_be_asked_in_time_is_not_asked_later(service: str) -> None:
    recording = run_with_outage(
        approval.in_production, service, lasts=5 * HOUR, from_operation="open decision 1"
    )
    assert recording.result["status"] == recording.world.status == "unanswered"
    assert not any("needs your decision" in subject for _, subject in recording.world.emails)
    opened = recording.operation("open decision 1")
    assert opened.length < timedelta(minutes=5)


# -- deadlines ------------------------------------------------------------------------------------


def test_a_row_expires_no_earlier_than_its_callback_although_the_submitter_was_retried() -> None:
    recording = run(webhook_callback.job_accepted_after_an_hour)
    assert recording.status == "SUCCEEDED", recording.error
    opened, callback = recording.operation("open transcript"), recording.operation("transcript")
    assert opened.length > HOUR, "the submitter was not retried for long"
    created = callback.stored.start_timestamp
    assert created is not None
    timeout = webhook.ANSWER_TIMEOUT.to_seconds()
    assert recording.world.row.deadline >= created.timestamp() + timeout


# -- between two waits ----------------------------------------------------------------------------


def test_a_click_between_two_waits_is_asked_to_try_again_and_then_counts() -> None:
    """The first wait has an invalid answer, and the handler has not resumed yet."""
    click = ExternalEvent(MINUTE * 1.5, "the reviewer presses Accept", ApprovalWorld.accept)
    scenario = replace(
        approval.invalid_answer_once,
        external_events=[pause(after=MINUTE / 2), click, resume(after=2 * MINUTE)],
    )
    recording = run(scenario)
    assert recording.world.replies[0] == 503
    assert recording.world.replies[-1] == 200
    assert recording.result["status"] == recording.world.status == "accepted"


def test_an_event_between_two_waits_is_redelivered_and_not_lost() -> None:
    """The callback timed out, and the handler has not resumed yet."""
    event = ExternalEvent(
        timedelta(hours=8, seconds=10), "the load finishes", MigrationWorld.finish_and_notify
    )
    scenario = replace(
        event_callback.event_on_time,
        external_events=[
            pause(after=timedelta(hours=7)),
            event,
            resume(after=timedelta(hours=8, seconds=30)),
        ],
    )
    recording = run(scenario)
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.virtual_seconds < timedelta(hours=8, minutes=2).total_seconds()


# -- at any moment --------------------------------------------------------------------------------

SERVICES = {
    "event_callback": ("dynamodb", "dms", "lambda"),
    "webhook_callback": ("dynamodb", "kms", "lambda", "secretsmanager"),
    "approval": ("dynamodb", "kms", "lambda", "events", "sesv2"),
}
ANSWERED = {
    "event_callback": timedelta(hours=6),
    "webhook_callback": timedelta(minutes=30),
    "approval": timedelta(minutes=2),
}
"""When the main scenario of each pattern is answered."""


def random_outage(pattern: str, seed: int) -> ExternalEvent:
    """Return an outage of some services; often, it has just begun when the answer arrives."""
    draw = random.Random(f"{pattern} {seed}")
    moment = draw.choice([1.2 * draw.random() * ANSWERED[pattern], ANSWERED[pattern]])
    before = timedelta(seconds=draw.choice([0, 0.5, 5, 44]))
    services = draw.sample(SERVICES[pattern], draw.randint(1, len(SERVICES[pattern])))
    return outage(
        *services,
        after=max(moment - before, timedelta(0)),
        lasts=timedelta(seconds=draw.choice([20, 45, 60, 300, 1800, 18_000])),
        kind=draw.choice(KINDS),
    )


@pytest.mark.parametrize("seed", every(10, SEEDS))
@pytest.mark.parametrize("pattern", MAIN)
def test_an_outage_at_any_moment_breaks_no_invariant(pattern: str, seed: int) -> None:
    """The execution receives what was acknowledged; see the scenarios' invariants."""
    scenario, _ = MAIN[pattern]
    allowed = {"SUCCEEDED", *(str(ending) for ending in scenario.outage_endings)}
    for number in (seed, seed + len(SEEDS)):
        events = (*scenario.external_events, random_outage(pattern, number))
        recording = run(replace(scenario, external_events=events, expects=None), seed=number)
        assert recording.broken_invariant is None
        failed = (recording.error.type or "").rsplit(".", 1)[-1] if recording.error else ""
        assert (failed or recording.status) in allowed


# -- senders --------------------------------------------------------------------------------------


def test_an_answer_that_its_sender_gave_up_is_delivered_by_the_sweep(durable: Durable) -> None:
    recording = durable.run(webhook_callback.vendor_gives_up)
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.world.replies == [503]


@pytest.mark.parametrize("service", ["dynamodb", "lambda", "secretsmanager"])
def test_an_api_request_gets_a_503_in_time_while_a_service_hangs(service: str) -> None:
    """Later than the function's own timeout of 25 s, the API would reply for it."""
    hangs = outage(service, lasts=10 * MINUTE, after=29 * MINUTE, kind="hanging")
    recording = run(replace(webhook_callback.answered_soon, external_events=[hangs, *FINISHES]))
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.world.replies[0] == 503
    assert recording.world.replies[-1] == 200
    assert all(seconds < 25 for seconds in recording.world.reply_seconds)


FINISHES = webhook_callback.answered_soon.external_events


def test_the_largest_body_fits_into_an_item_of_dynamodb() -> None:
    """400 KB, with its attribute names (DynamoDB: Service, account, and table quotas)."""
    assert answers.MAX_BODY_BYTES < 400 * 1024 - 10_000


@pytest.mark.prove
@pytest.mark.parametrize("pattern", MAIN)
def test_each_pattern_outlasts_an_outage_of_each_service_from_each_operation_on(
    durable: Durable, pattern: str
) -> None:
    scenario, _ = MAIN[pattern]
    report = durable.verify(scenario, outages=[MINUTE, 30 * MINUTE, 5 * HOUR], only=["outages"])
    assert [f for f in report.findings if f.certainty != "lint"] == []
    assert report.experiments["outages"].runs > 10
