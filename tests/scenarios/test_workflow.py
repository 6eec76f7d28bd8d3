"""An order that is carried through, or undone: every ending, every fault, and who asks again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dacapo import Happening, Scenario
from dacapo.pytest_plugin import Durable
from dacapo.recording import Recording
from patterns.start import execution_name
from patterns.workflow import handler as workflow
from patterns.workflow import ledger_writes
from scenarios import workflow as stories
from scenarios.worlds.workflow import ORDER, Shop
from tests.interference import Moment, dying_at, moments, watching
from tests.scenarios.engines import only_in_virtual_time

DONE = ["goods held", "payment held", "parcel held"]
PARCEL_OFF, MONEY_BACK, GOODS_BACK = (
    f"{what} given back" for what in ("parcel", "payment", "goods")
)
UNDONE = [PARCEL_OFF, MONEY_BACK, GOODS_BACK]
TAKEN = {"goods": ORDER["quantity"], "payment": ORDER["cents"], "parcel": 1}
WAIT = "wait for the carrier"


def assert_whole(world: Shop) -> None:
    """What is gone from the supplies is what is held, to the cent; nothing is lost or made."""
    held = [world.standings.get(what) in ("held", "gone") for what in TAKEN]
    gone = {supply: left - world.supplies[supply] for supply, left in world.at_first.items()}
    assert list(gone.values()) == [
        amount * is_held for amount, is_held in zip(TAKEN.values(), held, strict=True)
    ]


def assert_ends(durable: Durable, story: Scenario, ending: str, written: list[str]) -> Recording:
    """The order ended so, this was written in this order, and the shop is whole."""
    recording = durable.run(story)
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.result == {"order_id": "A-17", "ending": ending}
    assert recording.world.written == written
    assert_whole(recording.world)
    return recording


def assert_fails(durable: Durable, story: Scenario, error: str, written: list[str]) -> str:
    """It failed so, this was written in this order, and the shop is whole; the message."""
    recording = durable.run(story)
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert (recording.error.type or "").endswith(f".{error}")
    assert recording.world.written == written
    assert_whole(recording.world)
    return recording.error.message or ""


# -- how an order ends ----------------------------------------------------------------------------


def test_an_order_is_reserved_paid_and_shipped_and_over_when_the_parcel_is_gone(
    durable: Durable,
) -> None:
    recording = assert_ends(durable, stories.shipped, "shipped", DONE)
    assert len(recording.invocations) > 1, "nothing was replayed"
    assert recording.world.standings == {"goods": "held", "payment": "held", "parcel": "gone"}


def test_what_is_not_in_stock_leaves_nothing_to_undo(durable: Durable) -> None:
    recording = assert_ends(durable, stories.out_of_stock, "out of stock", [])
    assert [o.name for o in recording.operations] == ["reserve the goods"]


def test_a_payment_that_is_declined_releases_the_goods(durable: Durable) -> None:
    assert_ends(durable, stories.declined, "declined", ["goods held", GOODS_BACK])


def test_a_parcel_that_is_refused_gives_the_money_back_and_then_releases_the_goods(
    durable: Durable,
) -> None:
    written = ["goods held", "payment held", MONEY_BACK, GOODS_BACK]
    assert_ends(durable, stories.not_shippable, "not shippable", written)


def test_a_parcel_that_is_cancelled_while_it_is_waited_for_is_undone_from_the_top_of_a_replay(
    durable: Durable,
) -> None:
    """The list of what to undo was filled invocations ago; it is filled again by the body."""
    recording = assert_ends(durable, stories.cancelled, "cancelled", [*DONE, *UNDONE])
    assert len(recording.invocations) > 1, "nothing was replayed"
    assert recording.operations_named("cancel the parcel") == [], "it was cancelled already"


def test_a_parcel_that_is_cancelled_too_late_is_shipped(durable: Durable) -> None:
    only_in_virtual_time(durable, "has the happenings at no certain hour")
    late = replace(stories.CANCELLED, after=timedelta(hours=11))
    story = replace(stories.shipped, happenings=(stories.PICK_UP, late))
    assert_ends(durable, story, "shipped", DONE)


def test_after_two_days_without_the_carrier_all_is_undone_last_things_first(
    durable: Durable,
) -> None:
    recording = assert_ends(durable, stories.never_picked_up, "not picked up", [*DONE, *UNDONE])
    assert recording.operation(WAIT).attempts == workflow.MOST_LOOKS
    if durable.engine == "sim":
        assert recording.virtual_seconds == 48 * 3600


def test_a_parcel_that_nobody_could_look_at_is_not_called_back_if_it_is_gone(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "has the happenings at no certain hour")
    recording = assert_ends(durable, stories.nobody_may_look, "shipped", DONE)
    assert recording.operation(WAIT).attempts == workflow.MOST_LOOKS


# -- what breaks ----------------------------------------------------------------------------------


def test_a_table_that_throttles_for_a_while_delays_the_order_and_that_is_all(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "has the happenings at no certain hour")
    recording = assert_ends(durable, stories.table_throttles, "shipped", DONE)
    assert recording.operation("reserve the goods").attempts > 1


def test_a_table_that_throttles_for_longer_fails_the_order_and_leaves_nothing_behind(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "has the happenings at no certain hour")
    message = assert_fails(durable, stories.table_throttles_for_long, "OrderFailed", [])
    assert message.startswith("could not reserve the goods: ")


def test_a_payment_whose_reply_is_lost_is_taken_once(durable: Durable) -> None:
    only_in_virtual_time(durable, "has the happenings at no certain hour")
    recording = assert_ends(durable, stories.reply_to_payment_lost, "shipped", DONE)
    assert recording.operation("take the payment").attempts > 1


def test_a_payment_that_is_never_confirmed_may_have_been_taken_and_is_given_back(
    durable: Durable,
) -> None:
    written = ["goods held", "payment held", MONEY_BACK, GOODS_BACK]
    story = stories.payment_never_answered
    message = assert_fails(durable, story, "OrderFailed", written)
    assert message.startswith("could not take the payment: ")


def test_money_that_can_not_be_given_back_is_named_and_the_goods_are_released_all_the_same(
    durable: Durable,
) -> None:
    written = ["goods held", "payment held", GOODS_BACK]
    message = assert_fails(durable, stories.refund_forbidden, "NotUndone", written)
    assert message.startswith("not shippable; still to do by hand: give the money back (")
    assert "release" not in message


def test_undoing_is_tried_for_longer_than_anything_else(durable: Durable) -> None:
    only_in_virtual_time(durable, "has the happenings at no certain hour")
    recover = replace(stories.RECOVER, after=timedelta(minutes=15))
    story = replace(stories.refund_forbidden, happenings=(recover,))
    written = ["goods held", "payment held", MONEY_BACK, GOODS_BACK]
    assert_ends(durable, story, "not shippable", written)


def test_all_that_is_left_to_undo_is_named_in_one_error(durable: Durable) -> None:
    written = [*DONE, PARCEL_OFF]
    message = assert_fails(durable, stories.nothing_can_be_undone, "NotUndone", written)
    assert message.startswith("cancelled; still to do by hand: give the money back (")
    assert ", release the goods (" in message


def test_a_parcel_that_can_not_be_withdrawn_is_named_as_well(durable: Durable) -> None:
    written = [*DONE, MONEY_BACK, GOODS_BACK]
    message = assert_fails(durable, stories.withdrawal_forbidden, "NotUndone", written)
    assert message.startswith("could not withdraw the parcel: ")
    assert "; still to do by hand: cancel the parcel (" in message


def test_an_event_that_is_no_order_fails_with_the_field_named(durable: Durable) -> None:
    message = assert_fails(durable, stories.no_order, "InvalidOrder", [])
    assert message.startswith("quantity: ")


# -- who asks again -------------------------------------------------------------------------------

NAME = execution_name("A-17")


def test_who_asks_again_finds_the_order_where_it_is_and_begins_no_other(durable: Durable) -> None:
    only_in_virtual_time(durable, "knows no executions by name")
    recording = assert_ends(durable, stories.asked_for_again, "shipped", DONE)
    assert recording.world.replies == [
        {"execution_name": NAME, "status": "RUNNING"},
        {"execution_name": NAME, "status": "SUCCEEDED", "ending": "shipped"},
    ]
    assert recording.others == []


def test_who_asks_for_an_order_that_failed_is_told_why(durable: Durable) -> None:
    only_in_virtual_time(durable, "knows no executions by name")
    (reply,) = durable.run(stories.refund_forbidden).world.replies
    assert (reply["execution_name"], reply["status"]) == (NAME, "FAILED")
    assert "still to do by hand: give the money back" in reply["error"]


def test_another_order_under_the_same_id_is_refused_and_the_first_goes_on(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "knows no executions by name")
    story = stories.asked_for_with_another_order
    recording = assert_ends(durable, story, "shipped", DONE)
    (reply,) = recording.world.replies
    assert reply["errorType"] == "StartedDifferently"
    assert recording.others == []


# -- who dies -------------------------------------------------------------------------------------

CLIENTS = [ledger_writes.dynamodb]
LOOKS = 3  # at once, and every six hours until the carrier has come
SHIPPED_CALLS = ["TransactWriteItems"] * 3 + ["GetItem"] * LOOKS


def test_an_order_that_is_shipped_is_these_calls(durable: Durable) -> None:
    only_in_virtual_time(durable, "calls from several threads")
    with watching(CLIENTS) as calls:
        durable.run(stories.shipped)
    assert calls.made == SHIPPED_CALLS


@pytest.mark.parametrize("moment", moments(len(SHIPPED_CALLS)), ids=str)
def test_whoever_dies_at_any_call_everything_is_done_once(durable: Durable, moment: Moment) -> None:
    only_in_virtual_time(durable, "can't crash a handler")
    with dying_at(CLIENTS, moment) as died:
        recording = assert_ends(durable, stories.shipped, "shipped", DONE)
    assert died
    assert len(recording.invocations) > LOOKS, "nothing was invoked again"


@pytest.mark.parametrize("moment", moments(5), ids=str)
def test_whoever_dies_while_undoing_everything_is_undone_once(
    durable: Durable, moment: Moment
) -> None:
    only_in_virtual_time(durable, "can't crash a handler")
    written = ["goods held", "payment held", MONEY_BACK, GOODS_BACK]
    with dying_at(CLIENTS, moment) as died:
        recording = assert_ends(durable, stories.not_shippable, "not shippable", written)
    assert died
    assert len(recording.invocations) == 2


def _pick_up_and_cancel(shop: Shop) -> None:
    shop.be_cancelled()
    shop.be_picked_up()


def test_the_one_row_of_the_parcel_decides_whether_it_is_cancelled_or_gone(
    durable: Durable,
) -> None:
    both: Any = Happening(stories.FIVE_HOURS, "both come at once", _pick_up_and_cancel)
    story = replace(stories.shipped, happenings=(both,))
    assert_ends(durable, story, "cancelled", [*DONE, *UNDONE])
