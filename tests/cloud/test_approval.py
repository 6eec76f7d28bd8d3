"""A reviewer gets a mail and decides on the page, or doesn't answer.

The test is the reviewer: instead of reading the mail, it derives the link in it.
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
from tests.cloud.stack import Reply, Stack, Stacks, send

MAIL = os.environ.get("DACAPO_MAIL", "success@simulator.amazonses.com")
"""Recipient of all mail; by default, the SES mailbox simulator."""
FORM = {"content-type": "application/x-www-form-urlencoded"}
ANSWER_SECONDS = 5 * 60
"""How long the reviewer has to decide (patterns.approval.handler)."""


@dataclass
class Question:
    """An order that waits for its reviewer's decision."""

    order_id: str
    execution: Execution
    stack: Stack = field(repr=False)
    link: str = field(repr=False)

    def press(self, decision: str) -> Reply:
        """Press a button on the page."""
        return send("POST", self.link, urlencode({"decision": decision}).encode(), FORM)

    def order_status(self) -> str | None:
        """Return the order's status; None if there is no order."""
        item = self.stack.item("OrdersTable", "order_id", self.order_id)
        return str(item["status"]["S"]) if item else None

    def ending(self, seconds: int = 60) -> str:
        """Wait for the order to end, and return how: handler and table have to agree."""
        returned = self.execution.returned(seconds)
        assert returned == {"order_id": self.order_id, "status": self.order_status()}
        return str(returned["status"])


@pytest.fixture(scope="module")
def stack(stacks: Stacks) -> Stack:
    """Provide the pattern's stack."""
    return stacks.of("Approval")


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
        pytest.skip(f"MailSender, {address}, is not verified in SES as an email address identity")


@pytest.fixture
def question(stack: Stack, executions: Executions, sender: None) -> Iterator[Question]:
    order_id = f"test-{uuid.uuid4()}"
    order = {"order_id": order_id, "items": ["soup"], "customer": MAIL, "reviewer": MAIL}
    execution = executions.start("ApprovalFunction", order, marker=order_id)
    try:
        execution.wait_until_submitted("decision 1")
        reference = stack.reference("approval", execution.arn, "decision")
        yield Question(
            order_id, execution, stack, stack.url("ApprovalUrl", f"approvals/{reference}")
        )
    finally:
        execution.stop()
        stack.delete_item("OrdersTable", "order_id", order_id)


@pytest.mark.parametrize("decision", ["accepted", "rejected"])
def test_an_order_ends_as_the_reviewer_decides(question: Question, decision: str) -> None:
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


def test_pressing_a_button_twice_is_fine_but_the_other_button_is_rejected(
    question: Question,
) -> None:
    decisions = ["accepted", "accepted", "rejected"]
    replies = [question.press(decision).status for decision in decisions]
    assert replies == [HTTPStatus.OK, HTTPStatus.OK, HTTPStatus.CONFLICT]
    assert question.ending() == "accepted"


def test_a_manual_invalid_answer_is_rejected_and_the_wait_continues(
    question: Question,
) -> None:
    first = question.execution.callback_id("decision 1")
    question.execution.runner.send_callback_success(first, b'"perhaps"')
    question.execution.wait_until_submitted("decision 2")
    assert question.order_status() == "placed"
    assert question.press("accepted").status == HTTPStatus.OK
    assert question.ending() == "accepted"


@pytest.mark.slow
def test_an_unanswered_order_ends_after_five_minutes(question: Question) -> None:
    assert question.ending(ANSWER_SECONDS + 60) == "unanswered"
    described = question.execution.described() or {}
    duration = described["EndTimestamp"] - described["StartTimestamp"]
    assert duration.total_seconds() >= ANSWER_SECONDS
    assert question.press("accepted").status == HTTPStatus.GONE


def test_a_stopped_execution_compensates_nothing(
    question: Question,
) -> None:
    question.execution.stop()
    assert question.execution.result().execution_status is ExecutionStatus.STOPPED
    assert question.order_status() == "placed"


def test_the_event_of_a_stopped_execution_goes_to_the_dead_letter_queue(
    question: Question,
) -> None:
    question.execution.stop()
    assert question.execution.has_dead_letter()
