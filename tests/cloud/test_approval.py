"""A restaurant is asked by mail, and answers on the page, by the button it presses, or not at all.

The restaurant is this test: it does not read the mail, but derives the link that is in it.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlencode

import boto3
import pytest
from aws_durable_execution_sdk_python_testing.execution import ExecutionStatus

from tests.cloud.execution import Execution, Executions
from tests.cloud.stack import Reply, Stack, send

MAIL = os.environ.get("DACAPO_MAIL", "success@simulator.amazonses.com")
"""Who gets the mails; by default SES's mailbox simulator."""
FORM = {"content-type": "application/x-www-form-urlencoded"}
ANSWER_SECONDS = 5 * 60
"""How long the restaurant has (patterns.approval.handler)."""


@dataclass
class Question:
    """An order whose restaurant has been asked."""

    order_id: str
    execution: Execution
    stack: Stack = field(repr=False)
    link: str = field(repr=False)

    def press(self, decision: str) -> Reply:
        """Press a button of the page."""
        return send("POST", self.link, urlencode({"decision": decision}).encode(), FORM)

    def order_status(self) -> str | None:
        """The order's status; None if there is no order."""
        item = self.stack.item("OrdersTable", "order_id", self.order_id)
        return str(item["status"]["S"]) if item else None

    def ending(self, seconds: int = 60) -> str:
        """How the order ended, as the handler says and as the table does."""
        returned = self.execution.returned(seconds)
        assert returned == {"order_id": self.order_id, "ending": self.order_status()}
        return str(returned["ending"])


@pytest.fixture(scope="module")
def sender(stack: Stack) -> None:
    """Skip the test if the stack can't send mail."""
    address = stack.parameter("MailSender")
    ses = boto3.client("sesv2")
    try:
        is_verified = ses.get_email_identity(EmailIdentity=address)["VerifiedForSendingStatus"]
    except ses.exceptions.NotFoundException:
        is_verified = False
    finally:
        ses.close()
    if not is_verified:
        pytest.skip(f"MailSender, {address}, is not verified in SES as an identity of its own")


@pytest.fixture
def question(stack: Stack, executions: Executions, sender: None) -> Iterator[Question]:
    order_id = f"test-{uuid.uuid4()}"
    order = {"order_id": order_id, "items": ["soup"], "guest": MAIL, "restaurant": MAIL}
    execution = executions.start("ApprovalFunction", order, marker=order_id)
    try:
        execution.wait_until_asked("decision 1")
        reference = stack.reference("approval", execution.arn, "decision")
        yield Question(order_id, execution, stack, stack.url(f"approvals/{reference}"))
    finally:
        execution.stop()
        stack.forget("OrdersTable", "order_id", order_id)


@pytest.mark.parametrize("decision", ["accepted", "rejected"])
def test_an_order_ends_as_the_restaurant_decides(question: Question, decision: str) -> None:
    assert question.order_status() == "placed"
    assert question.press(decision).status == HTTPStatus.OK
    assert question.ending() == decision


def test_opening_the_link_shows_two_buttons_and_decides_nothing(question: Question) -> None:
    page = send("GET", question.link)
    assert page.status == HTTPStatus.OK
    assert 'value="accepted"' in page.text
    assert 'value="rejected"' in page.text
    assert question.order_status() == "placed"
    assert question.press("rejected").status == HTTPStatus.OK
    assert question.ending() == "rejected"


def test_of_two_presses_the_same_is_fine_and_the_other_button_is_refused(
    question: Question,
) -> None:
    decisions = ["accepted", "accepted", "rejected"]
    replies = [question.press(decision).status for decision in decisions]
    assert replies == [HTTPStatus.OK, HTTPStatus.OK, HTTPStatus.CONFLICT]
    assert question.ending() == "accepted"


def test_nonsense_that_is_answered_by_hand_is_refused_and_the_wait_goes_on(
    question: Question,
) -> None:
    first = question.execution.callback_id("decision 1")
    question.execution.runner.send_callback_success(first, b'"perhaps"')
    question.execution.wait_until_asked("decision 2")
    assert question.order_status() == "placed"
    assert question.press("accepted").status == HTTPStatus.OK
    assert question.ending() == "accepted"


@pytest.mark.slow
def test_an_order_that_nobody_answers_is_given_up_after_five_minutes(question: Question) -> None:
    assert question.ending(ANSWER_SECONDS + 60) == "unanswered"
    described = question.execution.described() or {}
    lasted = described["EndTimestamp"] - described["StartTimestamp"]
    assert lasted.total_seconds() >= ANSWER_SECONDS
    assert question.press("accepted").status == HTTPStatus.GONE


def test_an_execution_that_is_stopped_ends_as_stopped_and_undoes_nothing(
    question: Question,
) -> None:
    question.execution.stop()
    assert question.execution.result().execution_status is ExecutionStatus.STOPPED
    assert question.order_status() == "placed"


def test_the_event_of_a_stopped_execution_is_kept_for_whoever_has_to_look(
    question: Question,
) -> None:
    question.execution.stop()
    assert question.execution.has_left_a_letter()
