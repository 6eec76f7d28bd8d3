"""The registry keeps its promise: an answer is given once and never lost, whoever dies or races."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from botocore.exceptions import ReadTimeoutError

from dacapo import fail_next_calls
from dacapo.scenario import START
from dacapo.simulation import Simulation
from patterns import callback_answers, callback_rows, callbacks
from patterns.callback_answers import Answer
from patterns.callback_rows import State
from patterns.callbacks import NotSentYet, Outcome, ReferenceTaken
from scenarios.worlds.migration import migration_world
from tests.interference import TurnTaking, dying_at, moments, orders, watching
from tests.patterns.waiting import DAY_SECONDS, Wait

REFERENCE = "the reference"
CLIENTS = [callback_rows.dynamodb, callbacks.lambda_client]
YES, NO = callback_answers.success("yes"), callback_answers.failure("no", "Rejected")
CALLS_TO_ANSWER = ["UpdateItem", "SendDurableExecutionCallbackSuccess", "UpdateItem"]


@pytest.fixture
def wait() -> Iterator[Wait]:
    simulation = Simulation(0, START)
    with simulation.running(), migration_world():
        yield Wait(simulation, REFERENCE)


def test_an_answer_is_intended_then_sent_then_marked(wait: Wait) -> None:
    with watching(CLIENTS) as calls:
        assert callbacks.answer(REFERENCE, YES) is Outcome.SENT
    assert calls.made == CALLS_TO_ANSWER
    assert wait.row().state is State.DONE
    assert wait.accepted() == ["success"]


def test_a_failure_reaches_the_handler_with_its_message_and_type(wait: Wait) -> None:
    assert callbacks.answer(REFERENCE, NO) is Outcome.SENT
    assert wait.callback.callback_details is not None
    error = wait.callback.callback_details.error
    assert error is not None
    assert (error.message, error.type) == ("no", "Rejected")


def test_the_same_answer_again_is_fine_and_another_one_is_refused(wait: Wait) -> None:
    assert callbacks.answer(REFERENCE, YES) is Outcome.SENT
    assert callbacks.answer(REFERENCE, YES) is Outcome.ALREADY_SENT
    assert callbacks.answer(REFERENCE, NO) is Outcome.OTHER_ANSWER
    assert wait.accepted() == ["success"]


def test_it_stays_so_after_the_handler_has_closed_the_row(wait: Wait) -> None:
    callbacks.answer(REFERENCE, YES)
    wait.close()
    wait.pass_time(2 * DAY_SECONDS)
    assert callbacks.answer(REFERENCE, YES) is Outcome.ALREADY_SENT
    assert callbacks.answer(REFERENCE, NO) is Outcome.OTHER_ANSWER


def test_an_answer_that_nobody_waits_for_is_told_apart(wait: Wait) -> None:
    assert callbacks.answer("another reference", YES) is Outcome.UNKNOWN


def test_an_answer_about_something_before_the_wait_is_stale(wait: Wait) -> None:
    before = START.timestamp() - 1
    assert callbacks.answer(REFERENCE, YES, about=before) is Outcome.STALE
    assert wait.row().state is State.OPEN
    assert callbacks.answer(REFERENCE, YES, about=START.timestamp()) is Outcome.SENT


def test_expiry_is_checked_on_read_because_the_row_may_still_be_there(wait: Wait) -> None:
    wait.pass_time(DAY_SECONDS)
    assert callbacks.answer(REFERENCE, YES) is Outcome.EXPIRED
    assert wait.row().state is State.OPEN, "nothing was intended"


def test_a_row_is_kept_for_a_week_after_its_deadline(wait: Wait) -> None:
    item = callback_rows.dynamodb.get_item(
        TableName="callbacks", Key={"callback_reference": {"S": REFERENCE}}
    )["Item"]
    assert int(item["expires_at"]["N"]) == START.timestamp() + 8 * DAY_SECONDS


# -- who dies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", moments(len(CALLS_TO_ANSWER)))
@pytest.mark.parametrize("is_closed_meanwhile", [False, True])
def test_whoever_dies_while_answering_comes_again_and_nothing_is_lost_or_doubled(
    wait: Wait, moment: tuple[int, str], is_closed_meanwhile: bool
) -> None:
    with dying_at(CLIENTS, moment) as died, pytest.raises(SystemExit):
        callbacks.answer(REFERENCE, YES)
    assert died
    has_landed = wait.accepted() == ["success"]
    if is_closed_meanwhile and has_landed:
        # The answer has woken the handler, which is through with the wait before we come again.
        wait.close()
    try:
        outcome = callbacks.answer(REFERENCE, YES)
    except NotSentYet:
        # The callback is closed, and only the handler knows what closed it.
        assert has_landed
        wait.close()
        outcome = callbacks.answer(REFERENCE, YES)
    assert outcome in (Outcome.SENT, Outcome.ALREADY_SENT)
    assert wait.accepted() == ["success"]
    assert callbacks.answer(REFERENCE, NO) is Outcome.OTHER_ANSWER


@pytest.mark.parametrize("moment", moments(len(CALLS_TO_ANSWER))[1:])
def test_from_the_intent_on_another_answer_is_refused_even_if_the_first_sender_has_died(
    wait: Wait, moment: tuple[int, str]
) -> None:
    with dying_at(CLIENTS, moment), pytest.raises(SystemExit):
        callbacks.answer(REFERENCE, YES)
    assert callbacks.answer(REFERENCE, NO) is Outcome.OTHER_ANSWER
    with suppress(NotSentYet):
        callbacks.answer(REFERENCE, YES)
    assert wait.accepted() == ["success"]


def test_an_answer_that_was_intended_but_comes_again_too_late_is_closed_and_reported(
    wait: Wait, caplog: pytest.LogCaptureFixture
) -> None:
    with dying_at(CLIENTS, (0, "after")), pytest.raises(SystemExit):
        callbacks.answer(REFERENCE, YES)
    wait.pass_time(DAY_SECONDS)
    with caplog.at_level(logging.ERROR):
        assert callbacks.answer(REFERENCE, YES) is Outcome.CLOSED
    assert wait.row().state is State.CLOSED
    assert [record.message for record in caplog.records] == [
        "an answer came to a callback that is closed"
    ]


def test_a_submitter_that_dies_and_comes_again_does_not_reopen_what_was_answered(
    wait: Wait,
) -> None:
    callbacks.answer(REFERENCE, YES)
    wait.put()
    assert wait.row().state is State.DONE
    assert callbacks.answer(REFERENCE, YES) is Outcome.ALREADY_SENT


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_submitter_that_dies_while_putting_comes_again(wait: Wait, when: str) -> None:
    with dying_at(CLIENTS, (0, when)), pytest.raises(SystemExit):
        callbacks.put("other", "id", owner="me", deadline=9e9, not_before=0)
    callbacks.put("other", "id", owner="me", deadline=9e9, not_before=0)
    row = callback_rows.read("other")
    assert row is not None
    assert (row.state, row.callback_id) == (State.OPEN, "id")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_handler_that_dies_while_closing_comes_again(wait: Wait, when: str) -> None:
    with dying_at(CLIENTS, (0, when)), pytest.raises(SystemExit):
        wait.close()
    wait.pass_time(60)
    wait.close()
    assert wait.row().state is State.CLOSED


# -- what the callback API can say -----------------------------------------------------------------


@pytest.mark.parametrize("error", ["TooManyRequestsException", "ServiceException"])
def test_an_answer_that_the_service_can_not_take_now_stays_intended_and_is_delivered_again(
    wait: Wait, error: str
) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", error)
    with pytest.raises(NotSentYet, match=error):
        callbacks.answer(REFERENCE, YES)
    assert wait.row().state is State.INTENT
    assert callbacks.answer(REFERENCE, YES) is Outcome.SENT
    assert wait.accepted() == ["success"]


def test_an_answer_that_landed_while_its_sender_timed_out_is_not_taken_for_lost(
    wait: Wait,
) -> None:
    def lose_the_reply(number: int, when: str) -> None:
        if (number, when) == (1, "after"):
            raise ReadTimeoutError(endpoint_url="lambda")

    with watching(CLIENTS, lose_the_reply), pytest.raises(NotSentYet, match="ReadTimeoutError"):
        callbacks.answer(REFERENCE, YES)
    assert wait.accepted() == ["success"]
    with pytest.raises(NotSentYet, match="will be known in a moment"):
        callbacks.answer(REFERENCE, YES)
    wait.close()
    assert callbacks.answer(REFERENCE, YES) is Outcome.ALREADY_SENT


def test_an_answer_that_could_not_be_sent_before_the_wait_ended_is_never_taken_for_sent(
    wait: Wait,
) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", "TooManyRequestsException")
    with pytest.raises(NotSentYet):
        callbacks.answer(REFERENCE, YES)
    # The wait ends long before its deadline, because signs of life were missed.
    callbacks.close(REFERENCE, owner=wait.execution.arn, got=None)
    assert callbacks.answer(REFERENCE, YES) is Outcome.CLOSED
    assert wait.accepted() == []


def test_nor_if_it_comes_again_before_the_handler_is_through(wait: Wait) -> None:
    for error in ("TooManyRequestsException", "CallbackTimeoutException"):
        fail_next_calls("SendDurableExecutionCallbackSuccess", error)
        with pytest.raises(NotSentYet):
            callbacks.answer(REFERENCE, YES)
    callbacks.close(REFERENCE, owner=wait.execution.arn, got=None)
    assert callbacks.answer(REFERENCE, YES) is Outcome.CLOSED


def test_an_answer_is_not_asked_for_again_for_ever_if_no_handler_closes_the_row(
    wait: Wait,
) -> None:
    gone = "CallbackTimeoutException"
    for error in ("TooManyRequestsException", gone, gone):
        fail_next_calls("SendDurableExecutionCallbackSuccess", error)
        with pytest.raises(NotSentYet):
            callbacks.answer(REFERENCE, YES)
    wait.pass_time(DAY_SECONDS)
    fail_next_calls("SendDurableExecutionCallbackSuccess", gone)
    assert callbacks.answer(REFERENCE, YES) is Outcome.CLOSED


def test_a_failure_that_the_handler_got_is_known_again_after_it_has_closed_the_row(
    wait: Wait,
) -> None:
    callbacks.answer(REFERENCE, NO)
    wait.close()
    assert callbacks.answer(REFERENCE, NO) is Outcome.ALREADY_SENT
    assert callbacks.answer(REFERENCE, YES) is Outcome.OTHER_ANSWER


@pytest.mark.parametrize("error", ["ResourceNotFoundException", "InvalidParameterValueException"])
def test_a_callback_that_the_service_does_not_know_closes_the_row(wait: Wait, error: str) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", error)
    assert callbacks.answer(REFERENCE, YES) is Outcome.CLOSED
    assert wait.row().state is State.CLOSED


def test_an_answer_to_a_callback_that_somebody_else_closed_is_too_late(wait: Wait) -> None:
    wait.simulation.service.callbacks.succeed(wait.callback_id, b'"by hand"')
    assert callbacks.answer(REFERENCE, YES) is Outcome.CLOSED
    assert wait.row().state is State.CLOSED


def test_the_client_makes_one_attempt_so_that_every_attempt_is_known(wait: Wait) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", "ServiceException", times=2)
    for _ in range(2):
        with pytest.raises(NotSentYet):
            callbacks.answer(REFERENCE, YES)
    assert callbacks.answer(REFERENCE, YES) is Outcome.SENT


# -- signs of life --------------------------------------------------------------------------------


def test_a_sign_of_life_reaches_the_service_and_leaves_the_row_open(wait: Wait) -> None:
    assert callbacks.heartbeat(REFERENCE) is Outcome.SENT
    assert wait.accepted() == ["heartbeat"]
    assert wait.row().state is State.OPEN


def test_a_sign_of_life_counts_while_an_answer_is_on_its_way(wait: Wait) -> None:
    with dying_at(CLIENTS, (0, "after")), pytest.raises(SystemExit):
        callbacks.answer(REFERENCE, YES)
    assert callbacks.heartbeat(REFERENCE) is Outcome.SENT


@pytest.mark.parametrize(
    ("before", "outcome"),
    [("nothing", Outcome.UNKNOWN), ("answered", Outcome.CLOSED), ("expired", Outcome.EXPIRED)],
)
def test_a_sign_of_life_for_what_is_over_is_told_so(
    wait: Wait, before: str, outcome: Outcome
) -> None:
    if before == "answered":
        callbacks.answer(REFERENCE, YES)
    elif before == "expired":
        wait.pass_time(DAY_SECONDS)
    reference = "another reference" if before == "nothing" else REFERENCE
    assert callbacks.heartbeat(reference) is outcome
    assert "heartbeat" not in wait.accepted()


def test_a_sign_of_life_to_a_callback_that_somebody_else_closed_is_too_late(wait: Wait) -> None:
    wait.simulation.service.callbacks.succeed(wait.callback_id, b'"by hand"')
    assert callbacks.heartbeat(REFERENCE) is Outcome.CLOSED


def test_a_sign_of_life_that_the_service_can_not_take_now_is_asked_for_again(wait: Wait) -> None:
    fail_next_calls("SendDurableExecutionCallbackHeartbeat", "TooManyRequestsException")
    with pytest.raises(NotSentYet, match="TooManyRequestsException"):
        callbacks.heartbeat(REFERENCE)
    assert callbacks.heartbeat(REFERENCE) is Outcome.SENT


# -- who races ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", orders(3, 3))
def test_two_deliveries_of_the_same_answer_are_both_fine_in_any_order_of_their_calls(
    wait: Wait, order: str
) -> None:
    results = TurnTaking(order).run(
        CLIENTS,
        A=lambda: callbacks.answer(REFERENCE, YES),
        B=lambda: callbacks.answer(REFERENCE, YES),
    )
    # One may be asked to come again, if it finds the callback closed and the row not yet marked.
    others = [result for result in results.values() if result is not Outcome.SENT]
    assert len(others) == 1
    assert others[0] is Outcome.ALREADY_SENT or isinstance(others[0], NotSentYet)
    assert wait.accepted() == ["success"]
    assert wait.row().state is State.DONE
    assert callbacks.answer(REFERENCE, YES) is Outcome.ALREADY_SENT


@pytest.mark.parametrize("order", orders(3, 3))
def test_of_two_different_answers_one_is_given_and_one_refused_in_any_order_of_their_calls(
    wait: Wait, order: str
) -> None:
    answers: dict[str, Answer] = {"A": YES, "B": callback_answers.success("something else")}
    results = TurnTaking(order).run(
        CLIENTS,
        A=lambda: callbacks.answer(REFERENCE, answers["A"]),
        B=lambda: callbacks.answer(REFERENCE, answers["B"]),
    )
    assert sorted(results.values()) == sorted([Outcome.SENT, Outcome.OTHER_ANSWER])
    winner = next(name for name, result in results.items() if result is Outcome.SENT)
    assert wait.result == answers[winner].body
    assert wait.accepted() == ["success"]


@pytest.mark.parametrize("order", orders(3, 1))
def test_a_handler_that_closes_while_an_answer_is_on_its_way_loses_nothing(
    wait: Wait, order: str
) -> None:
    results = TurnTaking(order).run(
        CLIENTS,
        A=lambda: callbacks.answer(REFERENCE, YES),
        B=lambda: callbacks.close(REFERENCE, owner=wait.execution.arn, got=None),
    )
    assert wait.row().state is State.CLOSED
    assert (results["A"] is Outcome.SENT) == (wait.accepted() == ["success"])


# -- whose row it is ------------------------------------------------------------------------------


def test_another_execution_can_not_take_an_open_reference(wait: Wait) -> None:
    with pytest.raises(ReferenceTaken):
        callbacks.put(REFERENCE, "another", owner="another", deadline=9e9, not_before=0)
    assert wait.row().callback_id == wait.callback_id


def test_a_later_wait_of_the_same_execution_takes_the_row_over(wait: Wait) -> None:
    callbacks.put(REFERENCE, "later", owner=wait.execution.arn, deadline=9e9, not_before=0)
    assert (wait.row().callback_id, wait.row().state) == ("later", State.OPEN)


@pytest.mark.parametrize("how", ["closed", "expired"])
def test_a_reference_is_free_again_once_the_wait_is_over(wait: Wait, how: str) -> None:
    if how == "closed":
        wait.close()
    else:
        wait.pass_time(timedelta(days=1, seconds=1).total_seconds())
    callbacks.put(REFERENCE, "another", owner="another", deadline=9e9, not_before=0)
    assert wait.row().owner == "another"


def test_only_its_owner_closes_a_row(wait: Wait) -> None:
    callbacks.close(REFERENCE, owner="somebody else", got=None)
    callbacks.close("no such reference", owner=wait.execution.arn, got=None)
    assert wait.row().state is State.OPEN
    assert callback_rows.read("no such reference") is None


def test_no_error_names_a_reference_or_a_callback_id(wait: Wait) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", "ServiceException")
    with pytest.raises(NotSentYet) as not_sent:
        callbacks.answer(REFERENCE, YES)
    with pytest.raises(ReferenceTaken) as taken:
        callbacks.put(REFERENCE, "another", owner="another", deadline=9e9, not_before=0)
    for error in (not_sent.value, taken.value):
        assert REFERENCE not in str(error)
        assert wait.callback_id not in str(error)
