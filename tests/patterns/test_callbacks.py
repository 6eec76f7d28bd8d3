"""The callback registry sends each answer once and loses none, despite crashes and races."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from botocore.exceptions import ReadTimeoutError

from dacapo import START, Simulation, fail_next_calls
from patterns import callbacks
from patterns.callbacks import NotSentYet, Outcome, ReferenceInUse, answers, service, table
from patterns.callbacks.answers import Answer, AnswerTooLarge
from patterns.callbacks.table import State
from scenarios.worlds.migration import migration_world
from tests.interference import Interleaving, crash_at, interleavings, moments, watching
from tests.patterns.waiting import DAY_SECONDS, Wait

REFERENCE = "the reference"
CLIENTS = [table.dynamodb, service.lambda_client]
YES, NO = answers.success("yes"), answers.failure("no", "Rejected")
CALLS_TO_ANSWER = ["UpdateItem", "SendDurableExecutionCallbackSuccess", "UpdateItem"]


@pytest.fixture
def wait() -> Iterator[Wait]:
    simulation = Simulation(0, START)
    with simulation.running(), migration_world():
        yield Wait(simulation, REFERENCE)


def test_answering_records_an_intent_sends_and_marks(wait: Wait) -> None:
    with watching(CLIENTS) as calls:
        assert callbacks.answer(REFERENCE, YES) is Outcome.SENT
    assert calls.names == CALLS_TO_ANSWER
    assert wait.row().state is State.DONE
    assert wait.row().answer_body == "", "the body outlives its purpose"
    assert wait.accepted() == ["success"]


def test_the_handler_receives_a_failure_with_its_message_and_type(wait: Wait) -> None:
    assert callbacks.answer(REFERENCE, NO) is Outcome.SENT
    assert wait.callback.callback_details is not None
    error = wait.callback.callback_details.error
    assert error is not None
    assert (error.message, error.type) == ("no", "Rejected")


def test_a_duplicate_answer_is_already_sent_and_a_different_one_conflicts(wait: Wait) -> None:
    assert callbacks.answer(REFERENCE, YES) is Outcome.SENT
    assert callbacks.answer(REFERENCE, YES) is Outcome.ALREADY_SENT
    assert callbacks.answer(REFERENCE, NO) is Outcome.CONFLICT
    assert wait.accepted() == ["success"]


def test_duplicates_and_conflicts_are_recognized_after_the_handler_closes_the_row(
    wait: Wait,
) -> None:
    callbacks.answer(REFERENCE, YES)
    wait.close()
    wait.pass_time(2 * DAY_SECONDS)
    assert callbacks.answer(REFERENCE, YES) is Outcome.ALREADY_SENT
    assert callbacks.answer(REFERENCE, NO) is Outcome.CONFLICT


def test_an_answer_with_an_unknown_reference_is_ignored(wait: Wait) -> None:
    assert callbacks.answer("another reference", YES) is Outcome.UNKNOWN


def test_an_answer_about_an_event_before_the_wait_is_stale(wait: Wait) -> None:
    before = START.timestamp() - 1
    assert callbacks.answer(REFERENCE, YES, about=before) is Outcome.STALE
    assert wait.row().state is State.OPEN
    assert callbacks.answer(REFERENCE, YES, about=START.timestamp()) is Outcome.SENT


def test_an_expired_row_is_rejected_even_before_ttl_deletes_it(wait: Wait) -> None:
    wait.pass_time(DAY_SECONDS)
    assert callbacks.answer(REFERENCE, YES) is Outcome.EXPIRED
    assert wait.row().state is State.OPEN, "an intent was recorded"


def test_a_row_is_kept_for_a_week_after_its_deadline(wait: Wait) -> None:
    item = table.dynamodb.get_item(
        TableName="callbacks", Key={"callback_reference": {"S": REFERENCE}}
    )["Item"]
    assert int(item["expires_at"]["N"]) == START.timestamp() + 8 * DAY_SECONDS


# -- crashes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", moments(len(CALLS_TO_ANSWER)))
@pytest.mark.parametrize("handler_closes_first", [False, True])
def test_after_a_crash_a_redelivered_answer_is_sent_exactly_once(
    wait: Wait, moment: tuple[int, str], handler_closes_first: bool
) -> None:
    with crash_at(CLIENTS, moment) as died, pytest.raises(SystemExit):
        callbacks.answer(REFERENCE, YES)
    assert died
    was_accepted = wait.accepted() == ["success"]
    if handler_closes_first and was_accepted:
        # The answer resumed the handler, which closes the row before the redelivery.
        wait.close()
    try:
        outcome = callbacks.answer(REFERENCE, YES)
    except NotSentYet:
        # The callback is closed, and only the handler knows what closed it.
        assert was_accepted
        wait.close()
        outcome = callbacks.answer(REFERENCE, YES)
    assert outcome in (Outcome.SENT, Outcome.ALREADY_SENT)
    assert wait.accepted() == ["success"]
    assert callbacks.answer(REFERENCE, NO) is Outcome.CONFLICT


@pytest.mark.parametrize("moment", moments(len(CALLS_TO_ANSWER))[1:])
def test_after_an_intent_a_different_answer_conflicts_and_the_first_one_arrives(
    wait: Wait, moment: tuple[int, str]
) -> None:
    """Its sender crashed, and never redelivers: without its body in the row, it would bar all."""
    with crash_at(CLIENTS, moment) as died, pytest.raises(SystemExit):
        callbacks.answer(REFERENCE, YES)
    assert died
    was_accepted = wait.accepted() == ["success"]
    try:
        outcome = callbacks.answer(REFERENCE, NO)
    except NotSentYet:
        assert was_accepted, "nothing keeps the first answer from being sent"
        wait.close()
        outcome = callbacks.answer(REFERENCE, NO)
    assert outcome is Outcome.CONFLICT
    assert wait.result == YES.body
    assert wait.accepted() == ["success"]


def test_a_success_after_a_failure_that_was_only_recorded_conflicts_and_the_failure_arrives(
    wait: Wait,
) -> None:
    fail_next_calls("SendDurableExecutionCallbackFailure", "TooManyRequestsException", times=2)
    for answer in (NO, YES):
        with pytest.raises(NotSentYet, match="TooManyRequestsException"):
            callbacks.answer(REFERENCE, answer)
    assert callbacks.answer(REFERENCE, YES) is Outcome.CONFLICT
    assert wait.accepted() == ["failure"]


def test_an_intended_answer_redelivered_after_the_deadline_waits_for_a_verdict(wait: Wait) -> None:
    with crash_at(CLIENTS, (0, "after")), pytest.raises(SystemExit):
        callbacks.answer(REFERENCE, YES)
    wait.pass_time(DAY_SECONDS)
    with pytest.raises(NotSentYet, match="not recorded yet what closed it"):
        callbacks.answer(REFERENCE, YES)
    wait.close()
    assert callbacks.answer(REFERENCE, YES) is Outcome.CLOSED


def test_a_retried_submitter_does_not_reopen_an_answered_callback(
    wait: Wait,
) -> None:
    callbacks.answer(REFERENCE, YES)
    wait.put()
    assert wait.row().state is State.DONE
    assert callbacks.answer(REFERENCE, YES) is Outcome.ALREADY_SENT


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_submitter_that_crashes_during_put_can_be_retried(wait: Wait, when: str) -> None:
    with crash_at(CLIENTS, (0, when)), pytest.raises(SystemExit):
        callbacks.put("other", "id", owner="me", timeout=9e9)
    callbacks.put("other", "id", owner="me", timeout=9e9)
    row = table.read("other")
    assert row is not None
    assert (row.state, row.callback_id) == (State.OPEN, "id")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_handler_that_crashes_during_close_can_be_retried(wait: Wait, when: str) -> None:
    with crash_at(CLIENTS, (0, when)), pytest.raises(SystemExit):
        wait.close()
    wait.pass_time(60)
    wait.close()
    assert wait.row().state is State.CLOSED


# -- errors of the callback API --------------------------------------------------------------------


@pytest.mark.parametrize("error", ["TooManyRequestsException", "ServiceException"])
def test_an_answer_that_fails_temporarily_stays_intended_and_can_be_redelivered(
    wait: Wait, error: str
) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", error)
    with pytest.raises(NotSentYet, match=error):
        callbacks.answer(REFERENCE, YES)
    assert wait.row().state is State.INTENT
    assert callbacks.answer(REFERENCE, YES) is Outcome.SENT
    assert wait.accepted() == ["success"]


def test_an_accepted_answer_whose_reply_is_lost_counts_as_sent(
    wait: Wait,
) -> None:
    def lose_the_reply(number: int, when: str) -> None:
        if (number, when) == (1, "after"):
            raise ReadTimeoutError(endpoint_url="lambda")

    with watching(CLIENTS, lose_the_reply), pytest.raises(NotSentYet, match="ReadTimeoutError"):
        callbacks.answer(REFERENCE, YES)
    assert wait.accepted() == ["success"]
    with pytest.raises(NotSentYet, match="not recorded yet what closed it"):
        callbacks.answer(REFERENCE, YES)
    wait.close()
    assert callbacks.answer(REFERENCE, YES) is Outcome.ALREADY_SENT


def test_an_answer_that_failed_until_the_wait_ended_does_not_count_as_sent(
    wait: Wait,
) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", "TooManyRequestsException")
    with pytest.raises(NotSentYet):
        callbacks.answer(REFERENCE, YES)
    # The wait ends long before its deadline, because of its heartbeat timeout.
    wait.close(received=None)
    assert callbacks.answer(REFERENCE, YES) is Outcome.CLOSED
    assert wait.accepted() == []


def test_a_failed_answer_redelivered_before_the_handler_closes_the_row_does_not_count_as_sent(
    wait: Wait,
) -> None:
    for error in ("TooManyRequestsException", "CallbackTimeoutException"):
        fail_next_calls("SendDurableExecutionCallbackSuccess", error)
        with pytest.raises(NotSentYet):
            callbacks.answer(REFERENCE, YES)
    wait.close(received=None)
    assert callbacks.answer(REFERENCE, YES) is Outcome.CLOSED


def test_a_failure_is_recognized_after_the_handler_closes_the_row(
    wait: Wait,
) -> None:
    callbacks.answer(REFERENCE, NO)
    wait.close()
    assert callbacks.answer(REFERENCE, NO) is Outcome.ALREADY_SENT
    assert callbacks.answer(REFERENCE, YES) is Outcome.CONFLICT


@pytest.mark.parametrize("error", ["ResourceNotFoundException", "InvalidParameterValueException"])
def test_a_callback_that_the_service_does_not_know_closes_the_row(wait: Wait, error: str) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", error)
    assert callbacks.answer(REFERENCE, YES) is Outcome.CLOSED
    assert wait.row().state is State.CLOSED


def test_an_answer_to_a_callback_closed_by_an_operator_conflicts_once_the_handler_says_so(
    wait: Wait,
) -> None:
    wait.simulation.service.callbacks.succeed(wait.callback_id, b'"from an operator"')
    with pytest.raises(NotSentYet):
        callbacks.answer(REFERENCE, YES)
    wait.close()
    assert callbacks.answer(REFERENCE, YES) is Outcome.CONFLICT


def test_the_client_does_not_retry_so_every_attempt_is_visible(wait: Wait) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", "ServiceException", times=2)
    for _ in range(2):
        with pytest.raises(NotSentYet):
            callbacks.answer(REFERENCE, YES)
    assert callbacks.answer(REFERENCE, YES) is Outcome.SENT


# -- heartbeats -----------------------------------------------------------------------------------


def test_a_heartbeat_reaches_the_service_and_leaves_the_row_open(wait: Wait) -> None:
    assert callbacks.heartbeat(REFERENCE) is Outcome.SENT
    assert wait.accepted() == ["heartbeat"]
    assert wait.row().state is State.OPEN


def test_a_heartbeat_is_sent_while_an_answer_is_in_transit(wait: Wait) -> None:
    with crash_at(CLIENTS, (0, "after")), pytest.raises(SystemExit):
        callbacks.answer(REFERENCE, YES)
    assert callbacks.heartbeat(REFERENCE) is Outcome.SENT


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("unknown", Outcome.UNKNOWN), ("answered", Outcome.CLOSED), ("expired", Outcome.EXPIRED)],
)
def test_a_heartbeat_without_an_open_callback_is_not_sent(
    wait: Wait, state: str, outcome: Outcome
) -> None:
    if state == "answered":
        callbacks.answer(REFERENCE, YES)
    elif state == "expired":
        wait.pass_time(DAY_SECONDS)
    reference = "another reference" if state == "unknown" else REFERENCE
    assert callbacks.heartbeat(reference) is outcome
    assert "heartbeat" not in wait.accepted()


def test_a_heartbeat_for_a_callback_closed_by_an_operator_is_too_late(wait: Wait) -> None:
    wait.simulation.service.callbacks.succeed(wait.callback_id, b'"from an operator"')
    assert callbacks.heartbeat(REFERENCE) is Outcome.CLOSED


def test_a_heartbeat_that_fails_temporarily_can_be_retried(wait: Wait) -> None:
    fail_next_calls("SendDurableExecutionCallbackHeartbeat", "TooManyRequestsException")
    with pytest.raises(NotSentYet, match="TooManyRequestsException"):
        callbacks.heartbeat(REFERENCE)
    assert callbacks.heartbeat(REFERENCE) is Outcome.SENT


# -- races ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", interleavings(3, 3))
def test_concurrent_deliveries_of_one_answer_send_it_once_in_any_order_of_their_calls(
    wait: Wait, order: str
) -> None:
    results = Interleaving(order).run(
        CLIENTS,
        A=lambda: callbacks.answer(REFERENCE, YES),
        B=lambda: callbacks.answer(REFERENCE, YES),
    )
    # One may have to retry, if it finds the callback closed and the row not yet marked.
    others = [result for result in results.values() if result is not Outcome.SENT]
    assert len(others) == 1
    assert others[0] is Outcome.ALREADY_SENT or isinstance(others[0], NotSentYet)
    assert wait.accepted() == ["success"]
    assert wait.row().state is State.DONE
    assert callbacks.answer(REFERENCE, YES) is Outcome.ALREADY_SENT


@pytest.mark.parametrize("order", interleavings(3, 3))
def test_of_two_concurrent_answers_one_arrives_and_one_conflicts_in_any_order_of_their_calls(
    wait: Wait, order: str
) -> None:
    sent: dict[str, Answer] = {"A": YES, "B": answers.success("something else")}
    results = Interleaving(order).run(
        CLIENTS,
        A=lambda: callbacks.answer(REFERENCE, sent["A"]),
        B=lambda: callbacks.answer(REFERENCE, sent["B"]),
    )
    # Each may have sent the first answer, and each may have to be redelivered to learn who won.
    winner = next(name for name in sent if sent[name].body == wait.result)
    loser = "B" if winner == "A" else "A"
    allowed = {winner: {Outcome.SENT, Outcome.ALREADY_SENT}, loser: {Outcome.CONFLICT}}
    for name, result in results.items():
        assert isinstance(result, NotSentYet) or result in allowed[name]
    wait.close()
    assert callbacks.answer(REFERENCE, sent[winner]) is Outcome.ALREADY_SENT
    assert callbacks.answer(REFERENCE, sent[loser]) is Outcome.CONFLICT
    assert wait.accepted() == ["success"]


@pytest.mark.parametrize("order", interleavings(3, 1))
def test_closing_a_row_while_an_answer_is_in_transit_loses_nothing(wait: Wait, order: str) -> None:
    results = Interleaving(order).run(
        CLIENTS,
        A=lambda: callbacks.answer(REFERENCE, YES),
        B=lambda: wait.close(received=None),
    )
    assert wait.row().state is State.CLOSED
    assert (results["A"] is Outcome.SENT) == (wait.accepted() == ["success"])


# -- ownership of rows ----------------------------------------------------------------------------


def test_another_execution_cannot_use_an_open_reference(wait: Wait) -> None:
    with pytest.raises(ReferenceInUse):
        callbacks.put(REFERENCE, "another", owner="another", timeout=9e9)
    assert wait.row().callback_id == wait.callback_id


def test_a_later_wait_of_the_same_execution_replaces_the_row(wait: Wait) -> None:
    later = wait.wait_again()
    assert (wait.row().callback_id, wait.row().state) == (later, State.OPEN)


@pytest.mark.parametrize("how", ["closed", "expired"])
def test_a_reference_can_be_reused_after_its_wait(wait: Wait, how: str) -> None:
    if how == "closed":
        wait.close()
    else:
        wait.pass_time(timedelta(days=1, seconds=1).total_seconds())
    callbacks.put(REFERENCE, "another", owner="another", timeout=9e9)
    assert wait.row().owner == "another"


def test_a_row_whose_execution_was_stopped_does_not_bar_the_next_execution(wait: Wait) -> None:
    with pytest.raises(ReferenceInUse):
        callbacks.put(REFERENCE, "another", owner="another", timeout=9e9)
    wait.stop()
    callbacks.put(REFERENCE, "another", owner="another", timeout=9e9)
    assert wait.row().owner == "another"


def test_a_late_close_does_not_close_the_next_wait(wait: Wait) -> None:
    later = wait.wait_again()
    wait.close()
    assert (wait.row().callback_id, wait.row().state) == (later, State.OPEN)


def test_closing_a_row_that_does_not_exist_creates_none(wait: Wait) -> None:
    callbacks.close("no such reference", wait.callback_id, received=None)
    assert table.read("no such reference") is None


def test_between_two_waits_an_answer_is_redelivered_and_not_turned_away(wait: Wait) -> None:
    wait.close(received=None, asks_again=True)
    with pytest.raises(NotSentYet, match="about to wait for another answer"):
        callbacks.answer(REFERENCE, YES)
    assert wait.row().state is State.BETWEEN
    wait.wait_again()
    assert wait.row().state is State.OPEN


def test_a_question_that_is_not_asked_again_has_expired_at_its_deadline(wait: Wait) -> None:
    wait.close(received=None, asks_again=True)
    wait.pass_time(DAY_SECONDS)
    assert callbacks.answer(REFERENCE, YES) is Outcome.EXPIRED


def test_an_answer_for_a_wait_that_another_one_has_replaced_is_redelivered(wait: Wait) -> None:
    """The click came between two waits, and its call of the service after the second began."""

    def wait_again(number: int, when: str) -> None:
        if when == "before":
            wait.simulation.service.callbacks.succeed(wait.callback_id, b'"invalid"')
            wait.wait_again()

    with watching([service.lambda_client], wait_again) as calls, pytest.raises(NotSentYet):
        callbacks.answer(REFERENCE, YES)
    assert calls.names == ["SendDurableExecutionCallbackSuccess"]
    assert wait.row().state is State.OPEN


# -- deadlines ------------------------------------------------------------------------------------


def test_a_row_expires_no_earlier_than_its_callback(wait: Wait) -> None:
    """The service counts from the callback's creation; the table was out when that happened."""
    wait.pass_time(3600)
    callbacks.put("later", wait.callback_id, owner=wait.execution.arn, timeout=DAY_SECONDS)
    row = table.read("later")
    assert row is not None
    assert row.deadline >= START.timestamp() + DAY_SECONDS


def test_a_retried_put_keeps_the_deadline(wait: Wait) -> None:
    deadline = wait.row().deadline
    wait.pass_time(3600)
    wait.put()
    assert wait.row().deadline == deadline


# -- time -----------------------------------------------------------------------------------------


def test_no_answer_makes_more_than_four_calls_so_that_its_sender_gets_a_reply_in_time(
    wait: Wait,
) -> None:
    """The API's functions time out after 25 s. The webhook also reads its keys, at most twice."""
    with crash_at(CLIENTS, (0, "after")), pytest.raises(SystemExit):
        callbacks.answer(REFERENCE, YES)
    with watching(CLIENTS) as calls:
        assert callbacks.answer(REFERENCE, NO) is Outcome.CONFLICT
    assert calls.names == [*CALLS_TO_ANSWER, "GetItem"]
    for client in CLIENTS:
        config = client.meta.config
        assert config.retries["total_max_attempts"] == 1
        assert (config.connect_timeout + config.read_timeout) * (len(calls.names) + 2) < 25


# -- bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [answers.MAX_BODY_BYTES, answers.MAX_BODY_BYTES + 1])
def test_an_answer_of_up_to_128_kib_is_accepted_and_a_larger_one_leaves_no_trace(
    wait: Wait, size: int
) -> None:
    large = answers.success("x" * (size - len('""')))
    if size <= answers.MAX_BODY_BYTES:
        assert callbacks.answer(REFERENCE, large) is Outcome.SENT
        return
    with watching(CLIENTS) as calls, pytest.raises(AnswerTooLarge, match="131,073 bytes"):
        callbacks.answer(REFERENCE, large)
    assert calls.names == []
    assert callbacks.answer(REFERENCE, YES) is Outcome.SENT


def test_a_recorded_answer_is_sent_as_it_was_received(wait: Wait) -> None:
    """Another sender pushes it through, so every character has to survive in the row."""
    unusual = answers.failure("é\u2028\N{GRINNING FACE}\0", "Ünusual")
    with crash_at(CLIENTS, (0, "after")), pytest.raises(SystemExit):
        callbacks.answer(REFERENCE, unusual)
    assert callbacks.answer(REFERENCE, YES) is Outcome.CONFLICT
    assert wait.callback.callback_details is not None
    error = wait.callback.callback_details.error
    assert error is not None
    assert (error.message, error.type) == ("é\u2028\N{GRINNING FACE}\0", "Ünusual")


def test_no_error_contains_a_reference_or_a_callback_id(wait: Wait) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", "ServiceException")
    with pytest.raises(NotSentYet) as not_sent:
        callbacks.answer(REFERENCE, YES)
    with pytest.raises(ReferenceInUse) as in_use:
        callbacks.put(REFERENCE, "another", owner="another", timeout=9e9)
    for error in (not_sent.value, in_use.value):
        assert REFERENCE not in str(error)
        assert wait.callback_id not in str(error)
