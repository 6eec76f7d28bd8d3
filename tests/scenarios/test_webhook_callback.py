"""Waiting for a third party that knows a URL: it answers, twice, otherwise, too late, or never."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dacapo import Scenario
from dacapo.pytest_plugin import Durable
from dacapo.recording import Recording
from patterns import callback_rows, callbacks, reference
from patterns.callback_rows import State
from patterns.webhook_callback import handler as webhook
from scenarios import webhook_callback as stories
from scenarios.worlds.transcription import TRANSCRIPT
from tests.interference import dying_at, moments, watching
from tests.scenarios.engines import only_in_virtual_time

CLIENTS = [callback_rows.dynamodb, callbacks.lambda_client, reference.kms]


def assert_transcribed(recording: Recording) -> None:
    """It ended well, ordered one job, gave out one URL, and left nothing open behind."""
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.result == TRANSCRIPT
    assert len(recording.world.jobs) == 1
    assert recording.world.row.state is State.CLOSED


def reason(recording: Recording) -> str:
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert (recording.error.type or "").endswith("NoTranscript")
    return recording.error.message or ""


def test_the_agency_calls_the_url_and_the_wait_is_over(durable: Durable) -> None:
    recording = durable.run(stories.answered_soon)
    assert_transcribed(recording)
    assert len(recording.invocations) == 2, "nothing was replayed"
    assert recording.world.replies == [200]


def test_signs_of_life_keep_the_wait_open_for_longer_than_silence_would_be_borne(
    durable: Durable,
) -> None:
    recording = durable.run(stories.answered)
    assert_transcribed(recording)
    assert recording.world.replies == [200] * 4
    assert recording.virtual_seconds > webhook.SILENCE_TIMEOUT.to_seconds()
    assert len(recording.invocations) == 2


def test_an_agency_that_answers_before_it_has_acknowledged_the_job_is_heard(
    durable: Durable,
) -> None:
    recording = durable.run(stories.answered_at_once)
    assert_transcribed(recording)
    assert recording.world.replies == [200]


def test_the_same_answer_twice_is_taken_twice_and_given_once(durable: Durable) -> None:
    only_in_virtual_time(durable, "ends with the execution, before the second answer")
    recording = durable.run(stories.answered_twice)
    assert_transcribed(recording)
    assert recording.world.replies == [200, 200]
    assert [d.refused for d in recording.deliveries] == [None]


def test_another_answer_is_refused(durable: Durable) -> None:
    only_in_virtual_time(durable, "ends with the execution, before the second answer")
    recording = durable.run(stories.answered_otherwise)
    assert_transcribed(recording)
    assert recording.world.replies == [200, 409]


def test_an_answer_after_an_hour_of_silence_is_told_that_it_is_too_late(durable: Durable) -> None:
    recording = durable.run(stories.answered_too_late)
    assert "gave no sign of life" in reason(recording)
    assert recording.virtual_seconds == webhook.SILENCE_TIMEOUT.to_seconds()
    assert recording.world.replies == [410]


def test_a_stranger_who_knows_the_url_but_not_the_key_changes_nothing(durable: Durable) -> None:
    recording = durable.run(stories.answered_by_a_stranger)
    assert_transcribed(recording)
    assert recording.world.replies == [401, 200]


def test_an_answer_that_is_not_as_documented_is_refused_and_the_wait_goes_on(
    durable: Durable,
) -> None:
    recording = durable.run(stories.answered_badly_first)
    assert_transcribed(recording)
    assert recording.world.replies == [400, 200]


def test_an_answer_that_can_not_be_passed_on_is_asked_for_again_and_not_lost(
    durable: Durable,
) -> None:
    recording = durable.run(stories.callbacks_throttled)
    assert_transcribed(recording)
    assert recording.world.replies == [503, 200]


def test_an_agency_that_comes_again_only_after_an_hour_is_not_told_that_all_is_well(
    durable: Durable,
) -> None:
    recording = durable.run(stories.answered_while_throttled_then_silent)
    assert "gave no sign of life" in reason(recording)
    assert recording.world.replies == [503, 410]


def test_a_job_that_fails_fails_the_execution_with_the_agencys_reason(durable: Durable) -> None:
    recording = durable.run(stories.fails)
    assert reason(recording) == "the agency says: the recording is silent"
    assert recording.world.row.state is State.CLOSED


def test_a_failure_that_comes_again_is_known_again_and_a_success_after_it_refused(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "ends with the execution, before the second answer")
    recording = durable.run(stories.fails_twice)
    assert reason(recording) == "the agency says: the recording is silent"
    assert recording.world.replies == [200, 200, 409]


@pytest.mark.parametrize(
    ("story", "after"),
    [
        (stories.never_answers, timedelta(hours=1)),
        (stories.falls_silent, timedelta(hours=2)),
        (stories.goes_on_for_ever, timedelta(hours=24)),
    ],
    ids=["never answers", "falls silent", "goes on for ever"],
)
def test_silence_is_noticed_after_an_hour_and_nothing_is_waited_for_longer_than_a_day(
    durable: Durable, story: Scenario, after: timedelta
) -> None:
    recording = durable.run(story)
    assert reason(recording) == "the agency gave no sign of life, or no answer in time"
    assert recording.virtual_seconds == after.total_seconds()
    assert recording.world.row.state is State.CLOSED


def test_a_job_that_the_agency_refuses_is_not_ordered_again(durable: Durable) -> None:
    recording = durable.run(stories.job_refused)
    assert reason(recording) == "the job could not be ordered: the agency answers 422"
    assert recording.world.jobs == {}
    assert recording.operation("transcript submitter").attempts == 1


def test_an_agency_that_is_busy_is_asked_again_with_the_same_url(durable: Durable) -> None:
    recording = durable.run(stories.job_taken_at_the_third_attempt)
    assert_transcribed(recording)
    assert recording.operation("transcript submitter").attempts == 3


def test_whoever_dies_at_any_call_orders_one_job_and_loses_no_answer(durable: Durable) -> None:
    only_in_virtual_time(durable, "can't crash a handler")
    with watching(CLIENTS) as calls:
        durable.run(stories.answered_soon)
    assert calls.made == [
        *("GenerateMac", "PutItem"),
        *("UpdateItem", "SendDurableExecutionCallbackSuccess", "UpdateItem"),
        *("GenerateMac", "UpdateItem"),
        "GetItem",
    ]
    for moment in moments(len(calls.made) - 1):
        with dying_at(CLIENTS, moment) as died:
            recording = durable.run(stories.answered_twice)
        assert died
        assert_transcribed(recording)
        assert len([d for d in recording.deliveries if d.refused is None]) == 1, moment
        assert recording.world.replies[-1] == 200


def test_one_seed_gives_one_history_even_though_the_answer_comes_over_http(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "has no seed")
    first, second = (durable.run(stories.answered, seed=7) for _ in range(2))
    assert first.events == second.events
