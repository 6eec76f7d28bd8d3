"""A recording that an agency transcribes: every way in which that can end.

Run one with `dacapo run scenarios/webhook_callback.py:answered`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from dacapo import Happening, Scenario, fail_next_calls
from patterns.webhook_callback import endpoint
from patterns.webhook_callback.handler import handler
from scenarios.worlds.transcription import ENDPOINT, TRANSCRIPT, Agency, transcription_world

HALF_AN_HOUR = timedelta(minutes=30)
TWO_HOURS = timedelta(hours=2)
A_MINUTE_LATER = HALF_AN_HOUR + timedelta(minutes=1)


def _story(*happenings: Happening, agency: Callable[[], Agency] = Agency) -> Scenario:
    return Scenario(
        handler=handler,
        event={"recording": "s3://recordings/call-17.mp3"},
        world=lambda: transcription_world(agency()),
        happenings=happenings,
        functions={ENDPOINT: endpoint.handler},
    )


def _signs_of_life(times: int) -> list[Happening]:
    return [
        Happening(HALF_AN_HOUR * n, "the agency gives a sign of life", Agency.give_sign_of_life)
        for n in range(1, times + 1)
    ]


def _throttle(_: Agency) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", "TooManyRequestsException")


FINISH = Happening(HALF_AN_HOUR, "the transcript is there", Agency.finish)
FINISH_LATER = Happening(TWO_HOURS, "the transcript is there", Agency.finish)

answered = _story(*_signs_of_life(3), FINISH_LATER)
answered_soon = _story(FINISH)
answered_after_all = _story(
    Happening(timedelta(minutes=40), "the agency gives a sign of life", Agency.give_sign_of_life),
    Happening(timedelta(minutes=50), "a stranger says it is done", Agency.be_impersonated),
    Happening(timedelta(minutes=80), "the agency gives a sign of life", Agency.give_sign_of_life),
    Happening(timedelta(minutes=90), "the agency sends nonsense", Agency.stammer),
    Happening(TWO_HOURS, "the agency says it is done", Agency.finish),
    Happening(TWO_HOURS + timedelta(minutes=1), "it says so again", Agency.finish),
    Happening(TWO_HOURS + timedelta(minutes=2), "it says something else", Agency.finish_otherwise),
)
answered_at_once = _story(
    agency=partial(Agency, answers_at_once={"kind": "success", "result": TRANSCRIPT})
)
answered_twice = _story(FINISH, Happening(A_MINUTE_LATER, "it says so again", Agency.finish))
answered_otherwise = _story(
    FINISH, Happening(A_MINUTE_LATER, "it says something else", Agency.finish_otherwise)
)
answered_too_late = _story(Happening(TWO_HOURS, "the transcript is there", Agency.finish))
answered_by_a_stranger = _story(
    Happening(timedelta(minutes=1), "a stranger calls the URL", Agency.be_impersonated), FINISH
)
answered_badly_first = _story(
    Happening(timedelta(minutes=1), "it says something undocumented", Agency.stammer), FINISH
)
callbacks_throttled = _story(
    Happening(HALF_AN_HOUR, "the callback API throttles", _throttle),
    FINISH,
    Happening(A_MINUTE_LATER, "the agency comes again", Agency.finish),
)
answered_while_throttled_then_silent = _story(
    Happening(HALF_AN_HOUR, "the callback API throttles", _throttle),
    FINISH,
    Happening(TWO_HOURS, "the agency comes again, much too late", Agency.finish),
)
fails = _story(Happening(HALF_AN_HOUR, "the recording is silent", Agency.fail))
fails_twice = _story(
    Happening(HALF_AN_HOUR, "the recording is silent", Agency.fail),
    Happening(A_MINUTE_LATER, "it says so again", Agency.fail),
    Happening(A_MINUTE_LATER, "it says something else", Agency.finish),
)
falls_silent = _story(*_signs_of_life(2))
never_answers = _story()
goes_on_for_ever = _story(*_signs_of_life(60))
job_refused = _story(agency=lambda: Agency(refusals=[422]))
job_taken_at_the_third_attempt = _story(
    Happening(timedelta(minutes=50), "the transcript is there", Agency.finish),
    agency=lambda: Agency(refusals=[503, 429]),
)
