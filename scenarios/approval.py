"""Human in the loop: a reviewer accepts an order, rejects it, or doesn't answer.

Run one with `dacapo run scenarios/approval.py:accepted`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial

from dacapo import Answer, ExternalEvent, Recording, Scenario, fail, fail_next_calls, succeed
from patterns.approval import page
from patterns.approval.handler import handler
from patterns.callbacks import overdue
from scenarios.worlds.approval import (
    CUSTOMER,
    ORDER,
    PAGE,
    ApprovalWorld,
    approval_world,
    question_row,
    sent_emails,
    stored_status,
)
from scenarios.worlds.registry import OVERDUE, assert_answered_once

ONE_MINUTE = timedelta(minutes=1)
TWO_MINUTES = timedelta(minutes=2)
SIX_MINUTES = timedelta(minutes=6)


def _scenario(
    *external_events: ExternalEvent,
    answers: Mapping[str, Answer] | None = None,
    world: Callable[[], AbstractContextManager[ApprovalWorld]] = approval_world,
    expects: str | None = None,
    outage_endings: Sequence[str] = (),
) -> Scenario:
    return Scenario(
        handler=handler,
        event=ORDER,
        answers=answers or {},
        world=world,
        external_events=external_events,
        expects=expects,
        outage_endings=outage_endings,
        functions={PAGE: page.handler, OVERDUE: overdue.handler},
        invariant=_invariant,
    )


def _invariant(recording: Recording, world: ApprovalWorld) -> None:
    """A decision that the page accepted is the order's status, and the customer's only news."""
    assert len(set(world.accepted)) <= 1, "two different decisions were accepted"
    if recording.status == "SUCCEEDED":
        status = recording.result["status"]
        assert stored_status() == status
        assert world.accepted in ([], [status] * len(world.accepted))
    news = {subject for recipient, subject in sent_emails() if recipient == CUSTOMER}
    assert len(news) <= 1, "the customer received different news"
    assert_answered_once(recording, question_row(world))


def _throttle(_: ApprovalWorld) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", "TooManyRequestsException")


ACCEPT = ExternalEvent(TWO_MINUTES, "the reviewer presses Accept", ApprovalWorld.accept)
REJECT = ExternalEvent(TWO_MINUTES, "the reviewer presses Reject", ApprovalWorld.reject)

accepted = _scenario(ACCEPT)
rejected = _scenario(REJECT)
nobody_answers = _scenario()
accepted_twice = _scenario(ACCEPT, replace(ACCEPT, name="the reviewer presses Accept again"))
accepted_then_rejected = _scenario(
    ACCEPT, replace(REJECT, name="the reviewer presses Reject as well")
)
accepted_too_late = _scenario(replace(ACCEPT, after=SIX_MINUTES))
link_opened_by_a_scanner = _scenario(
    ExternalEvent(ONE_MINUTE, "an email scanner opens the link", ApprovalWorld.open_link)
)
form_tampered_with = _scenario(
    ExternalEvent(ONE_MINUTE, "a tampered form is submitted", ApprovalWorld.tamper), ACCEPT
)
# An operator bypasses the page and answers the callback with an invalid decision.
invalid_answer_once = _scenario(
    ACCEPT, answers={"decision 1": succeed("perhaps", after=ONE_MINUTE)}
)
only_invalid_answers = _scenario(
    answers={
        f"decision {number}": succeed({"decision": True}, after=ONE_MINUTE) for number in (1, 2, 3)
    }
)
invalid_answer_at_the_last_moment = _scenario(
    answers={"decision 1": succeed("perhaps", after=timedelta(minutes=4, seconds=59.5))}
)
callback_failed_by_an_operator = _scenario(
    answers={"decision 1": fail("the warehouse is on fire", after=ONE_MINUTE)}
)
callbacks_throttled = _scenario(
    ExternalEvent(TWO_MINUTES, "the callback API throttles", _throttle),
    ACCEPT,
)
order_exists = _scenario(world=partial(approval_world, order_exists=True), expects="StepError")
invalid_order = replace(
    _scenario(), event={"order_id": "A-17", "items": []}, expects="InvalidOrder"
)
in_production = _scenario(
    ACCEPT,
    *(ExternalEvent(timedelta(hours=n), "the sweep", ApprovalWorld.sweep) for n in (12, 24, 48)),
    # An order that the reviewer can't decide on within five minutes is withdrawn.
    outage_endings=["SUCCEEDED"],
)
"""With the function that delivers what senders have given up: what has to outlast an outage."""
