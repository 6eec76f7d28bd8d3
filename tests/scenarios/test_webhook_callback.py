"""Waiting for a vendor that knows a URL: it answers once, twice, differently, late, or never."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dacapo import Durable, Recording, Scenario
from patterns.callbacks import reference, service, table
from patterns.callbacks.table import State
from patterns.webhook_callback import handler as webhook
from scenarios import webhook_callback as scenarios
from scenarios.worlds.transcription import TRANSCRIPT
from tests.interference import crash_at, moments, watching
from tests.scenarios.engines import only_in_virtual_time

CLIENTS = [table.dynamodb, service.lambda_client, reference.kms]


def assert_transcribed(recording: Recording) -> None:
    """Assert success, with one job submitted, one URL, and a closed row."""
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.result == TRANSCRIPT
    assert len(recording.world.jobs) == 1
    assert recording.world.row.state is State.CLOSED


def reason(recording: Recording) -> str:
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert (recording.error.type or "").endswith("NoTranscript")
    return recording.error.message or ""


def test_a_request_to_the_url_ends_the_wait(durable: Durable) -> None:
    recording = durable.run(scenarios.answered_soon)
    assert_transcribed(recording)
    assert len(recording.invocations) == 2, "nothing was replayed"
    assert recording.world.replies == [200]


def test_heartbeats_keep_the_wait_open_beyond_the_heartbeat_timeout(
    durable: Durable,
) -> None:
    recording = durable.run(scenarios.answered)
    assert_transcribed(recording)
    assert recording.world.replies == [200] * 4
    assert recording.virtual_seconds > webhook.HEARTBEAT_TIMEOUT.to_seconds()
    assert len(recording.invocations) == 2


def test_an_answer_before_the_job_is_acknowledged_is_accepted(
    durable: Durable,
) -> None:
    recording = durable.run(scenarios.answered_immediately)
    assert_transcribed(recording)
    assert recording.world.replies == [200]


def test_a_repeated_answer_is_accepted_and_delivered_once(durable: Durable) -> None:
    only_in_virtual_time(durable, "ends with the execution, before the second answer")
    recording = durable.run(scenarios.answered_twice)
    assert_transcribed(recording)
    assert recording.world.replies == [200, 200]
    assert [d.refused for d in recording.deliveries] == [None]


def test_a_different_answer_is_rejected(durable: Durable) -> None:
    only_in_virtual_time(durable, "ends with the execution, before the second answer")
    recording = durable.run(scenarios.answered_differently)
    assert_transcribed(recording)
    assert recording.world.replies == [200, 409]


def test_an_answer_after_an_hour_of_silence_is_too_late(durable: Durable) -> None:
    recording = durable.run(scenarios.answered_too_late)
    assert "went silent" in reason(recording)
    assert recording.virtual_seconds == webhook.HEARTBEAT_TIMEOUT.to_seconds()
    assert recording.world.replies == [410]


def test_a_stranger_with_the_url_but_not_the_key_changes_nothing(durable: Durable) -> None:
    recording = durable.run(scenarios.answer_forged)
    assert_transcribed(recording)
    assert recording.world.replies == [401, 200]


def test_an_invalid_answer_is_rejected_and_the_wait_continues(
    durable: Durable,
) -> None:
    recording = durable.run(scenarios.invalid_answer_first)
    assert_transcribed(recording)
    assert recording.world.replies == [400, 200]


def test_an_answer_that_cannot_be_delivered_is_retried_and_not_lost(
    durable: Durable,
) -> None:
    recording = durable.run(scenarios.callbacks_throttled)
    assert_transcribed(recording)
    assert recording.world.replies == [503, 200]


def test_a_retry_after_an_hour_is_not_reported_as_accepted(
    durable: Durable,
) -> None:
    recording = durable.run(scenarios.answered_while_throttled_then_silent)
    assert "went silent" in reason(recording)
    assert recording.world.replies == [503, 410]


def test_a_failed_job_fails_the_execution_with_the_vendors_reason(durable: Durable) -> None:
    recording = durable.run(scenarios.fails)
    assert reason(recording) == "the vendor reported: the recording is silent"
    assert recording.world.row.state is State.CLOSED


def test_a_repeated_failure_is_accepted_and_a_success_after_it_is_rejected(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "ends with the execution, before the second answer")
    recording = durable.run(scenarios.fails_twice)
    assert reason(recording) == "the vendor reported: the recording is silent"
    assert recording.world.replies == [200, 200, 409]


@pytest.mark.parametrize(
    ("scenario", "after"),
    [
        (scenarios.never_answers, timedelta(hours=1)),
        (scenarios.goes_silent, timedelta(hours=2)),
        (scenarios.never_finishes, timedelta(hours=24)),
    ],
    ids=["never answers", "goes silent", "never finishes"],
)
def test_silence_is_noticed_after_an_hour_and_no_wait_exceeds_a_day(
    durable: Durable, scenario: Scenario, after: timedelta
) -> None:
    recording = durable.run(scenario)
    assert reason(recording) == "the vendor went silent, or did not answer in time"
    assert recording.virtual_seconds == after.total_seconds()
    assert recording.world.row.state is State.CLOSED


def test_a_rejected_job_is_not_submitted_again(durable: Durable) -> None:
    recording = durable.run(scenarios.job_rejected)
    assert reason(recording) == "the job could not be submitted: the vendor responded with 422"
    assert recording.world.jobs == {}
    assert recording.operation("open transcript").attempts == 1


def test_a_busy_vendor_gets_the_job_again_with_the_same_url(durable: Durable) -> None:
    recording = durable.run(scenarios.job_accepted_on_third_attempt)
    assert_transcribed(recording)
    assert recording.operation("open transcript").attempts == 3


@pytest.mark.prove
def test_a_crash_at_any_call_submits_one_job_and_loses_no_answer(durable: Durable) -> None:
    only_in_virtual_time(durable, "can't crash a handler")
    with watching(CLIENTS) as calls:
        durable.run(scenarios.answered_soon)
    assert calls.names == [
        *("GenerateMac", "PutItem", "GenerateMac"),
        *("UpdateItem", "SendDurableExecutionCallbackSuccess", "UpdateItem"),
        "UpdateItem",
    ]
    for moment in moments(len(calls.names)):
        with crash_at(CLIENTS, moment) as died:
            recording = durable.run(scenarios.answered_twice)
        assert died
        assert_transcribed(recording)
        assert len([d for d in recording.deliveries if d.refused is None]) == 1, moment
        assert recording.world.replies[-1] == 200


def test_one_seed_gives_one_history_although_the_answer_arrives_over_http(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "has no seed")
    first, second = (durable.run(scenarios.answered, seed=7) for _ in range(2))
    assert first.events == second.events
