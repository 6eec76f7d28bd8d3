"""A handler waits for an answer: row first, then the job, and the row closes however it ends."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ReadTimeoutError

from dacapo import Durable, ExternalEvent, Recording, Scenario, run
from patterns import mails
from patterns.callbacks import service, table
from patterns.callbacks.table import State
from scenarios import approval, event_callback, webhook_callback
from scenarios.worlds.approval import ApprovalWorld
from scenarios.worlds.registry import TABLE, dynamodb
from scenarios.worlds.transcription import Vendor
from tests.interference import watching

MINUTE = timedelta(minutes=1)


def ended(recording: Recording) -> tuple[State, bool]:
    """Return the row's last state, and whether it knows of an answer."""
    return recording.world.row.state, bool(recording.world.row.ended_with)


def error_of(recording: Recording) -> str:
    assert recording.error is not None
    return (recording.error.type or "").rsplit(".", 1)[-1]


@pytest.mark.parametrize(
    ("scenario", "error", "knows_an_answer"),
    [
        (webhook_callback.answered_soon, "", True),
        (webhook_callback.fails, "NoTranscript", True),
        (webhook_callback.never_answers, "NoTranscript", False),
        (event_callback.start_refused, "MigrationNotStarted", False),
    ],
    ids=["success", "failure", "timeout", "failed submitter"],
)
def test_a_row_is_closed_however_the_wait_ends(
    durable: Durable, scenario: Scenario, error: str, knows_an_answer: bool
) -> None:
    recording = durable.run(scenario)
    assert (error_of(recording) if recording.error else "") == error
    assert ended(recording) == (State.CLOSED, knows_an_answer)


def test_a_wait_records_three_operations(durable: Durable) -> None:
    recording = durable.run(webhook_callback.answered_soon)
    names = [operation.name for operation in recording.operations]
    assert names == ["prepare the job", "transcript", "open transcript", "close transcript"]
    assert recording.charged_operations == 1 + len(names)


def test_an_invalid_answer_ends_a_wait_that_is_not_repeated() -> None:
    bypassed = ExternalEvent(MINUTE, "an operator answers", _answer_with_nonsense)
    recording = run(
        replace(webhook_callback.never_answers, external_events=[bypassed], expects="NoTranscript")
    )
    assert recording.error is not None
    assert recording.error.message == "the answer is not a transcript"
    assert ended(recording) == (State.CLOSED, True)


def _answer_with_nonsense(vendor: Vendor) -> None:
    (item,) = dynamodb.scan(TableName=TABLE)["Items"]
    row = table.parse_row(item)
    service.send("success", '"nonsense"', row.callback_id)
    assert vendor.jobs


@pytest.mark.parametrize(
    "scenario", [webhook_callback.answered_soon, approval.accepted], ids=["webhook", "approval"]
)
def test_no_history_contains_a_reference(durable: Durable, scenario: Scenario) -> None:
    """Everybody who may read it could answer the callback: only a hash is there."""
    recording = durable.run(scenario)
    world = recording.world
    is_approval = isinstance(world, ApprovalWorld)
    reference = world.reference if is_approval else world.url.rpartition("/")[2]
    history = json.dumps([operation.stored.to_json_dict() for operation in recording.operations])
    assert "decision 1" in history or "transcript" in history
    assert len(reference) == 43
    assert reference not in history


@pytest.mark.parametrize(
    "scenario",
    [webhook_callback.answered_but_never_acknowledged, webhook_callback.answered_but_rejected],
    ids=["502", "422"],
)
def test_an_answer_counts_although_the_submission_failed(
    durable: Durable, scenario: Scenario
) -> None:
    """The vendor has started the job, so its answer may be accepted while we still submit."""
    recording = durable.run(scenario)
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.world.replies[0] == 200
    assert ended(recording) == (State.CLOSED, True)


def test_a_failure_counts_although_the_submission_failed(durable: Durable) -> None:
    recording = durable.run(webhook_callback.failed_but_rejected)
    assert recording.error is not None
    assert recording.error.message == "the vendor reported: the recording is silent"


def test_no_answer_is_accepted_after_a_job_could_not_be_submitted(durable: Durable) -> None:
    """Otherwise a job that runs all the same gets a 200 for an answer that nobody receives."""
    recording = durable.run(webhook_callback.job_rejected)
    withdrawn = [d for d in recording.deliveries if d.refused is None]
    assert [d.kind for d in withdrawn] == ["failure"]
    assert recording.operation("withdraw transcript").status == "SUCCEEDED"
    assert recording.operation("close transcript").status == "SUCCEEDED"


def test_a_decision_counts_although_the_email_was_never_acknowledged() -> None:
    """SES sent it each time, but its replies were lost until the deadline."""

    def lose_the_reply(_: int, when: str) -> None:
        if when == "after" and not lost[300:]:
            lost.append(when)
            raise ReadTimeoutError(endpoint_url="ses")

    lost: list[str] = []
    clock = ExternalEvent(5 * MINUTE, "SES works again", lambda _: lost.extend([""] * 300))
    scenario = replace(
        approval.accepted, external_events=[*approval.accepted.external_events, clock]
    )
    with watching([mails.client], lose_the_reply):
        recording = run(scenario)
    assert len(lost) > 302, "no reply was lost"
    assert recording.operation("open decision 1").status == "FAILED"
    assert recording.world.replies == [200]
    assert recording.result["status"] == recording.world.status == "accepted"


def test_a_row_that_can_never_be_closed_does_not_cost_the_answer() -> None:
    """No outage that passes: here, the function is configured for a table that doesn't exist."""
    scenario = replace(
        webhook_callback.answered_soon,
        external_events=[
            *webhook_callback.answered_soon.external_events,
            ExternalEvent(30 * MINUTE, "somebody misconfigures the function", _misconfigure),
        ],
    )
    recording = run(scenario)
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.operation("close transcript").status == "FAILED"
    assert recording.operation("close transcript").attempts == 1


def _misconfigure(_: Vendor) -> None:
    os.environ[table.TABLE_VARIABLE] = "no such table"  # until the world ends
