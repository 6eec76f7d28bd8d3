"""A vendor transcribes a recording: every outcome.

Run one with `dacapo run scenarios/webhook_callback.py:answered`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from http import HTTPStatus

from dacapo import ExternalEvent, Recording, Scenario, fail_next_calls
from patterns.callbacks import overdue
from patterns.webhook_callback import endpoint
from patterns.webhook_callback.handler import handler
from scenarios.worlds.registry import OVERDUE, assert_answered_once
from scenarios.worlds.transcription import (
    ENDPOINT,
    TRANSCRIPT,
    Vendor,
    job_row,
    transcription_world,
)

HALF_AN_HOUR = timedelta(minutes=30)
TWO_HOURS = timedelta(hours=2)
A_MINUTE_LATER = HALF_AN_HOUR + timedelta(minutes=1)


def _scenario(
    *external_events: ExternalEvent,
    vendor: Callable[[], Vendor] = Vendor,
    expects: str | None = None,
    outage_endings: Sequence[str] = (),
) -> Scenario:
    return Scenario(
        handler=handler,
        event={"recording": "s3://recordings/call-17.mp3"},
        world=lambda: transcription_world(vendor()),
        external_events=external_events,
        expects=expects,
        outage_endings=outage_endings,
        functions={ENDPOINT: endpoint.handler, OVERDUE: overdue.handler},
        invariant=_invariant,
    )


def _invariant(recording: Recording, vendor: Vendor) -> None:
    """An answer that we acknowledged is the one that the execution received, and the only one."""
    answers = [message for message in vendor.accepted if message["kind"] != "heartbeat"]
    assert all(answer == answers[0] for answer in answers), "two different answers were accepted"
    if answers and answers[0]["kind"] == "success":
        assert recording.result == answers[0]["result"]
    elif answers:
        assert recording.error is not None
        assert recording.error.message == f"the vendor reported: {answers[0]['message']}"
    assert len(vendor.jobs) <= 1, "two jobs were submitted"
    assert_answered_once(recording, job_row(vendor))


def _heartbeats(times: int) -> list[ExternalEvent]:
    return [
        ExternalEvent(HALF_AN_HOUR * n, "the vendor sends a heartbeat", Vendor.send_heartbeat)
        for n in range(1, times + 1)
    ]


def _throttle(_: Vendor) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", "TooManyRequestsException")


FINISH = ExternalEvent(HALF_AN_HOUR, "the vendor finishes", Vendor.finish)
FINISH_AND_GIVE_UP = ExternalEvent(
    HALF_AN_HOUR, "the vendor finishes, and gives up after an error", Vendor.finish_and_give_up
)
FINISH_LATER = ExternalEvent(TWO_HOURS, "the vendor finishes", Vendor.finish)

answered = _scenario(*_heartbeats(3), FINISH_LATER)
answered_soon = _scenario(FINISH)
answered_eventually = _scenario(
    ExternalEvent(timedelta(minutes=40), "the vendor sends a heartbeat", Vendor.send_heartbeat),
    ExternalEvent(
        timedelta(minutes=50), "a stranger sends a forged answer", Vendor.send_forged_answer
    ),
    ExternalEvent(timedelta(minutes=80), "the vendor sends a heartbeat", Vendor.send_heartbeat),
    ExternalEvent(
        timedelta(minutes=90), "the vendor sends an invalid answer", Vendor.send_invalid_answer
    ),
    ExternalEvent(TWO_HOURS, "the vendor finishes", Vendor.finish),
    ExternalEvent(TWO_HOURS + timedelta(minutes=1), "the vendor repeats its answer", Vendor.finish),
    ExternalEvent(
        TWO_HOURS + timedelta(minutes=2),
        "the vendor sends a different answer",
        Vendor.finish_differently,
    ),
)
answered_immediately = _scenario(
    vendor=partial(Vendor, immediate_answer={"kind": "success", "result": TRANSCRIPT})
)
answered_but_never_acknowledged = _scenario(
    vendor=partial(
        Vendor,
        immediate_answer={"kind": "success", "result": TRANSCRIPT},
        acknowledgment=HTTPStatus.BAD_GATEWAY,
    )
)
answered_but_rejected = _scenario(
    vendor=partial(
        Vendor,
        immediate_answer={"kind": "success", "result": TRANSCRIPT},
        acknowledgment=HTTPStatus.UNPROCESSABLE_ENTITY,
    )
)
failed_but_rejected = _scenario(
    vendor=partial(
        Vendor,
        immediate_answer={"kind": "failure", "message": "the recording is silent"},
        acknowledgment=HTTPStatus.UNPROCESSABLE_ENTITY,
    ),
    expects="NoTranscript",
)
answered_twice = _scenario(
    FINISH, ExternalEvent(A_MINUTE_LATER, "the vendor repeats its answer", Vendor.finish)
)
answered_differently = _scenario(
    FINISH,
    ExternalEvent(A_MINUTE_LATER, "the vendor sends a different answer", Vendor.finish_differently),
)
answered_too_late = _scenario(
    ExternalEvent(TWO_HOURS, "the vendor finishes", Vendor.finish), expects="NoTranscript"
)
answer_forged = _scenario(
    ExternalEvent(
        timedelta(minutes=1), "a stranger sends a forged answer", Vendor.send_forged_answer
    ),
    FINISH,
)
invalid_answer_first = _scenario(
    ExternalEvent(
        timedelta(minutes=1), "the vendor sends an invalid answer", Vendor.send_invalid_answer
    ),
    FINISH,
)
callbacks_throttled = _scenario(
    ExternalEvent(HALF_AN_HOUR, "the callback API throttles", _throttle),
    FINISH,
)
answered_while_throttled_then_silent = _scenario(
    ExternalEvent(HALF_AN_HOUR, "the callback API throttles", _throttle),
    FINISH_AND_GIVE_UP,
    ExternalEvent(TWO_HOURS, "the vendor retries, much too late", Vendor.finish),
    expects="NoTranscript",
)
vendor_gives_up = _scenario(
    ExternalEvent(HALF_AN_HOUR, "the callback API throttles", _throttle),
    FINISH_AND_GIVE_UP,
    ExternalEvent(A_MINUTE_LATER * 1.5, "the sweep", Vendor.sweep),
)
fails = _scenario(
    ExternalEvent(HALF_AN_HOUR, "the vendor fails", Vendor.fail), expects="NoTranscript"
)
fails_twice = _scenario(
    ExternalEvent(HALF_AN_HOUR, "the vendor fails", Vendor.fail),
    ExternalEvent(A_MINUTE_LATER, "the vendor repeats its answer", Vendor.fail),
    ExternalEvent(A_MINUTE_LATER, "the vendor sends a different answer", Vendor.finish),
    expects="NoTranscript",
)
goes_silent = _scenario(*_heartbeats(2), expects="NoTranscript")
never_answers = _scenario(expects="NoTranscript")
never_finishes = _scenario(*_heartbeats(60), expects="NoTranscript")
job_rejected = _scenario(vendor=lambda: Vendor(rejections=[422]), expects="NoTranscript")
job_accepted_on_third_attempt = _scenario(
    ExternalEvent(timedelta(minutes=50), "the vendor finishes", Vendor.finish),
    vendor=lambda: Vendor(rejections=[503, 429]),
)
job_accepted_after_an_hour = _scenario(
    FINISH,
    vendor=lambda: Vendor(rejections=[503] * 12),
)
in_production = _scenario(
    FINISH,
    *(ExternalEvent(timedelta(hours=n), "the sweep", Vendor.sweep) for n in (12, 24, 48)),
    # After an hour in which neither an answer nor a heartbeat gets through, the vendor counts as
    # silent.
    outage_endings=["NoTranscript"],
)
"""With the function that delivers what senders have given up: what has to outlast an outage."""
