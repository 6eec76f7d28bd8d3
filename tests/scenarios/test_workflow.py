"""Fulfill or compensate an order: every ending, every fault, and repeated requests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dacapo import Durable, ExternalEvent, Recording, Scenario
from patterns.starting import execution_name
from patterns.workflow import handler as workflow
from patterns.workflow import ledger_writes
from scenarios import workflow as scenarios
from scenarios.worlds.workflow import ORDER, Shop
from tests.depth import every
from tests.interference import Moment, crash_at, moments, watching
from tests.scenarios.engines import only_in_virtual_time

DONE = ["goods held", "payment held", "parcel held"]
CANCELED, REFUNDED, RELEASED = (f"{name} released" for name in ("parcel", "payment", "goods"))
COMPENSATED = [CANCELED, REFUNDED, RELEASED]
RESERVED = {"goods": ORDER["quantity"], "payment": ORDER["cents"], "parcel": 1}
WAIT = "wait for the carrier"


def assert_consistent(world: Shop) -> None:
    """Assert that exactly what is held or picked up is missing from the supplies, to the cent."""
    held = [world.statuses.get(name) in ("held", "picked up") for name in RESERVED]
    missing = [amount - world.supplies[supply] for supply, amount in world.initial_supplies.items()]
    assert missing == [
        amount * is_held for amount, is_held in zip(RESERVED.values(), held, strict=True)
    ]


def assert_ends(durable: Durable, scenario: Scenario, ending: str, written: list[str]) -> Recording:
    """Assert the order's ending and its writes in order, and that the shop is consistent."""
    recording = durable.run(scenario)
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.result == {"order_id": "A-17", "ending": ending}
    assert recording.world.written == written
    assert_consistent(recording.world)
    return recording


def assert_fails(durable: Durable, scenario: Scenario, error: str, written: list[str]) -> str:
    """Assert the error class, the writes in order, and consistency; return the error message."""
    recording = durable.run(scenario)
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert (recording.error.type or "").endswith(f".{error}")
    assert recording.world.written == written
    assert_consistent(recording.world)
    return recording.error.message or ""


# -- endings --------------------------------------------------------------------------------------


def test_an_order_ends_when_its_parcel_is_picked_up(
    durable: Durable,
) -> None:
    recording = assert_ends(durable, scenarios.shipped, "shipped", DONE)
    assert len(recording.invocations) > 1, "nothing was replayed"
    assert recording.world.statuses == {"goods": "held", "payment": "held", "parcel": "picked up"}


def test_an_item_that_is_out_of_stock_leaves_nothing_to_compensate(durable: Durable) -> None:
    recording = assert_ends(durable, scenarios.out_of_stock, "out of stock", [])
    assert [o.name for o in recording.operations] == ["reserve the goods"]


def test_a_declined_payment_releases_the_goods(durable: Durable) -> None:
    assert_ends(durable, scenarios.declined, "declined", ["goods held", RELEASED])


def test_a_refused_parcel_refunds_the_payment_and_then_releases_the_goods(
    durable: Durable,
) -> None:
    written = ["goods held", "payment held", REFUNDED, RELEASED]
    assert_ends(durable, scenarios.not_shippable, "not shippable", written)


def test_a_parcel_canceled_during_the_wait_is_compensated_after_a_replay(
    durable: Durable,
) -> None:
    """The list was filled invocations ago; on replay, the handler's body fills it again."""
    recording = assert_ends(durable, scenarios.canceled, "canceled", [*DONE, *COMPENSATED])
    assert len(recording.invocations) > 1, "nothing was replayed"


def test_a_parcel_canceled_after_the_pickup_is_shipped(durable: Durable) -> None:
    only_in_virtual_time(durable, "has no exact time for external events")
    late = replace(scenarios.CANCELED, after=timedelta(hours=11))
    scenario = replace(scenarios.shipped, external_events=(scenarios.PICK_UP, late))
    assert_ends(durable, scenario, "shipped", DONE)


def test_two_days_without_the_carrier_compensate_all_steps_in_reverse(
    durable: Durable,
) -> None:
    recording = assert_ends(
        durable, scenarios.never_picked_up, "not picked up", [*DONE, *COMPENSATED]
    )
    assert recording.operation(WAIT).attempts == workflow.MAX_CHECKS
    if durable.engine == "sim":
        assert recording.virtual_seconds == 48 * 3600


def test_a_parcel_with_failing_checks_is_not_canceled_if_it_was_picked_up(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "has no exact time for external events")
    recording = assert_ends(durable, scenarios.parcel_unreadable, "shipped", DONE)
    assert recording.operation(WAIT).attempts == workflow.MAX_CHECKS


# -- faults ---------------------------------------------------------------------------------------


def test_temporary_throttling_only_delays_the_order(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "has no exact time for external events")
    recording = assert_ends(durable, scenarios.table_throttles, "shipped", DONE)
    assert recording.operation("reserve the goods").attempts > 1


@pytest.mark.parametrize("seed", every(10, range(10)))
def test_five_hours_of_throttling_only_delay_the_order(durable: Durable, seed: int) -> None:
    only_in_virtual_time(durable, "has no exact time for external events")
    recording = durable.run(scenarios.table_throttles_for_hours, seed=seed)
    assert recording.result == {"order_id": "A-17", "ending": "shipped"}
    assert recording.world.written == DONE
    assert recording.operation("reserve the goods").attempts > 10


@pytest.mark.prove
def test_two_days_of_throttling_fail_the_order_and_name_what_was_not_compensated(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "has no exact time for external events")
    scenario = scenarios.table_throttles_for_days
    message = assert_fails(durable, scenario, "CompensationFailed", [])
    assert message.startswith("could not reserve the goods: ")
    assert "; manual compensation needed: release the goods (" in message


@pytest.mark.parametrize("seed", every(10, range(10)))
def test_a_parcel_that_leaves_while_it_cannot_be_canceled_is_shipped_and_stays_paid(
    durable: Durable, seed: int
) -> None:
    only_in_virtual_time(durable, "has no exact time for external events")
    recording = durable.run(scenarios.picked_up_while_table_throttles, seed=seed)
    assert recording.operation("cancel the parcel").attempts > 10, "nothing was throttled"
    assert recording.result == {"order_id": "A-17", "ending": "shipped"}
    assert recording.world.written == DONE
    assert recording.operations_named("refund the payment") == []
    assert recording.operations_named("release the goods") == []


@pytest.mark.parametrize("seed", every(10, range(10)))
def test_a_parcel_that_cannot_be_canceled_for_hours_is_compensated_afterward(
    durable: Durable, seed: int
) -> None:
    only_in_virtual_time(durable, "has no exact time for external events")
    recording = durable.run(scenarios.not_picked_up_while_table_throttles, seed=seed)
    assert recording.operation("cancel the parcel").attempts > 10, "nothing was throttled"
    assert recording.result == {"order_id": "A-17", "ending": "not picked up"}
    assert recording.world.written == [*DONE, *COMPENSATED]
    assert_consistent(recording.world)


@pytest.mark.prove
def test_a_parcel_that_leaves_before_its_booking_is_confirmed_is_shipped(durable: Durable) -> None:
    """The booking fails for longer than it is retried: what fails next is to cancel the parcel."""
    only_in_virtual_time(durable, "has no exact time for external events")
    scenario = scenarios.picked_up_before_the_booking_is_confirmed
    recording = assert_ends(durable, scenario, "shipped", DONE)
    assert recording.operation("book the parcel").status == "FAILED"
    assert recording.operation("cancel the parcel").status == "SUCCEEDED"
    assert recording.operations_named("refund the payment") == []


def test_a_payment_whose_reply_is_lost_is_charged_once(durable: Durable) -> None:
    only_in_virtual_time(durable, "has no exact time for external events")
    recording = assert_ends(durable, scenarios.reply_to_payment_lost, "shipped", DONE)
    assert recording.operation("charge the account").attempts > 1


@pytest.mark.prove
def test_a_payment_that_is_never_confirmed_is_refunded(
    durable: Durable,
) -> None:
    written = ["goods held", "payment held", REFUNDED, RELEASED]
    scenario = scenarios.payment_never_answered
    message = assert_fails(durable, scenario, "OrderFailed", written)
    assert message.startswith("could not charge the account: ")


@pytest.mark.prove
def test_a_failed_refund_is_named_and_the_goods_are_still_released(
    durable: Durable,
) -> None:
    written = ["goods held", "payment held", RELEASED]
    message = assert_fails(durable, scenarios.refund_forbidden, "CompensationFailed", written)
    assert message.startswith("not shippable; manual compensation needed: refund the payment (")
    assert "release" not in message


def test_compensations_are_retried_after_any_error_for_five_hours(durable: Durable) -> None:
    only_in_virtual_time(durable, "has no exact time for external events")
    recover = replace(scenarios.RECOVER, after=scenarios.FIVE_HOURS)
    scenario = replace(scenarios.refund_forbidden, external_events=(recover,))
    written = ["goods held", "payment held", REFUNDED, RELEASED]
    assert_ends(durable, scenario, "not shippable", written)


@pytest.mark.prove
def test_one_error_names_all_failed_compensations(durable: Durable) -> None:
    written = [*DONE, CANCELED]
    message = assert_fails(
        durable, scenarios.compensations_forbidden, "CompensationFailed", written
    )
    assert message.startswith("canceled; manual compensation needed: refund the payment (")
    assert ", release the goods (" in message


@pytest.mark.prove
def test_while_nobody_knows_whether_the_parcel_has_left_nothing_is_refunded(
    durable: Durable,
) -> None:
    scenario = scenarios.cancellation_forbidden
    message = assert_fails(durable, scenario, "CompensationFailed", DONE)
    assert message.startswith("not picked up; manual compensation needed: cancel the parcel (")
    assert message.endswith("), refund the payment, release the goods")


def test_an_invalid_event_fails_with_the_field_named(durable: Durable) -> None:
    message = assert_fails(durable, scenarios.invalid_order, "InvalidOrder", [])
    assert message.startswith("quantity: ")


# -- repeated requests ----------------------------------------------------------------------------

NAME = execution_name("A-17")


def test_a_repeated_request_finds_the_execution_and_starts_no_other(durable: Durable) -> None:
    only_in_virtual_time(durable, "has no execution names")
    recording = assert_ends(durable, scenarios.submitted_again, "shipped", DONE)
    assert recording.world.replies == [
        {"execution_name": NAME, "status": "RUNNING"},
        {"execution_name": NAME, "status": "SUCCEEDED", "ending": "shipped"},
    ]
    assert recording.others == []


def test_a_repeated_request_for_a_failed_order_returns_the_error(durable: Durable) -> None:
    only_in_virtual_time(durable, "has no execution names")
    (reply,) = durable.run(scenarios.refund_forbidden).world.replies
    assert (reply["execution_name"], reply["status"]) == (NAME, "FAILED")
    assert "manual compensation needed: refund the payment" in reply["error"]


def test_another_order_with_the_same_id_is_rejected_and_the_first_continues(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "has no execution names")
    scenario = scenarios.resubmitted_with_another_order
    recording = assert_ends(durable, scenario, "shipped", DONE)
    (reply,) = recording.world.replies
    assert reply["errorType"] == "StartedWithDifferentInput"
    assert recording.others == []


# -- crashes --------------------------------------------------------------------------------------

CLIENTS = [ledger_writes.dynamodb]
CHECKS = 3  # at once, and every six hours until the carrier comes
SHIPPED_CALLS = ["TransactWriteItems"] * 3 + ["GetItem"] * CHECKS


def test_a_shipped_order_makes_these_calls(durable: Durable) -> None:
    only_in_virtual_time(durable, "calls from several threads")
    with watching(CLIENTS) as calls:
        durable.run(scenarios.shipped)
    assert calls.names == SHIPPED_CALLS


@pytest.mark.parametrize("moment", moments(len(SHIPPED_CALLS)), ids=str)
def test_every_step_takes_effect_once_despite_a_crash_at_any_call(
    durable: Durable, moment: Moment
) -> None:
    only_in_virtual_time(durable, "can't crash a handler")
    with crash_at(CLIENTS, moment) as crashes:
        recording = assert_ends(durable, scenarios.shipped, "shipped", DONE)
    assert crashes
    assert len(recording.invocations) > CHECKS, "nothing was invoked again"


@pytest.mark.parametrize("moment", moments(5), ids=str)
def test_every_compensation_takes_effect_once_despite_a_crash_at_any_call(
    durable: Durable, moment: Moment
) -> None:
    only_in_virtual_time(durable, "can't crash a handler")
    written = ["goods held", "payment held", REFUNDED, RELEASED]
    with crash_at(CLIENTS, moment) as crashes:
        recording = assert_ends(durable, scenarios.not_shippable, "not shippable", written)
    assert crashes
    assert len(recording.invocations) == 2


def _pick_up_and_cancel(shop: Shop) -> None:
    shop.customer_cancels()
    shop.carrier_picks_up()


def test_the_parcels_one_row_decides_whether_it_is_canceled_or_picked_up(
    durable: Durable,
) -> None:
    both: Any = ExternalEvent(
        scenarios.FIVE_HOURS, "pickup and cancellation coincide", _pick_up_and_cancel
    )
    scenario = replace(scenarios.shipped, external_events=(both,))
    assert_ends(durable, scenario, "canceled", [*DONE, *COMPENSATED])
