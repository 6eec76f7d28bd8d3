"""Validation of orders, and the ledger: reservations, releases, retries, and races."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from botocore.stub import Stubber

from dacapo import START, Simulation
from patterns.transient import TransientError, is_transient
from patterns.workflow import ledger, ledger_writes, logic, shop, start
from patterns.workflow.ledger import ReservationConflict
from patterns.workflow.ledger_writes import ReservationStatus
from patterns.workflow.logic import InvalidOrder
from scenarios.worlds.registry import dynamodb
from scenarios.worlds.workflow import ORDER, STOCK, TABLE, Shop, shop_world
from tests.interference import Interleaving, crash_at, interleavings, moments

CLIENTS = [ledger_writes.dynamodb]
KEY = "order#A-17#goods"


@pytest.fixture
def world() -> Iterator[Shop]:
    with Simulation(0, START).running(), shop_world() as world:
        yield world


def stock() -> int:
    row = dynamodb.get_item(TableName=TABLE, Key={ledger_writes.KEY: {"S": STOCK}})["Item"]
    return int(row["available"]["N"])


# -- orders ---------------------------------------------------------------------------------------


def test_an_order_has_six_fields_and_others_are_ignored() -> None:
    assert logic.parse_order({**ORDER, "color": "red"}) == ORDER


@pytest.mark.parametrize("field", ORDER)
@pytest.mark.parametrize("bad", [None, "", 0, -1, 1.5, True, 10**9, "x" * 201, [], {}], ids=repr)
def test_an_invalid_or_missing_field_is_named(field: str, bad: Any) -> None:
    rest = {name: value for name, value in ORDER.items() if name != field}
    for event in (rest, rest | {field: bad}):
        with pytest.raises(InvalidOrder, match=f"^{field}: "):
            logic.parse_order(event)


@pytest.mark.parametrize("event", [None, "A-17", 17, [ORDER]], ids=repr)
def test_an_event_that_is_not_an_object_is_rejected(event: Any) -> None:
    with pytest.raises(InvalidOrder, match="event: must be an object"):
        logic.parse_order(event)


# -- the ledger -----------------------------------------------------------------------------------


def test_a_repeated_reservation_with_the_same_key_reserves_once(world: Shop) -> None:
    assert ledger.reserve(KEY, STOCK, 2)
    assert ledger.reserve(KEY, STOCK, 2)
    assert stock() == 8


def test_a_repeated_reservation_succeeds_even_if_the_supply_is_now_empty(world: Shop) -> None:
    assert ledger.reserve(KEY, STOCK, 10)
    assert ledger.reserve(KEY, STOCK, 10)
    assert stock() == 0


@pytest.mark.parametrize(("supply", "amount"), [(STOCK, 11), ("stock#unheard-of", 1)])
def test_a_reservation_larger_than_the_supply_is_refused(
    world: Shop, supply: str, amount: int
) -> None:
    assert not ledger.reserve(KEY, supply, amount)
    assert stock() == 10
    with pytest.raises(KeyError):
        ledger.status(KEY)


@pytest.mark.parametrize(("supply", "amount"), [(STOCK, 3), ("account#ada", 2)])
def test_a_key_belongs_to_one_reservation(world: Shop, supply: str, amount: int) -> None:
    ledger.reserve(KEY, STOCK, 2)
    for act in (ledger.reserve, ledger.release):
        with pytest.raises(ReservationConflict):
            act(KEY, supply, amount)
    assert stock() == 8


def test_a_repeated_release_releases_once(world: Shop) -> None:
    ledger.reserve(KEY, STOCK, 2)
    ledger.release(KEY, STOCK, 2)
    ledger.release(KEY, STOCK, 2)
    assert stock() == 10
    assert ledger.status(KEY) is ReservationStatus.RELEASED


def test_releasing_what_was_never_reserved_only_blocks_a_later_reservation(world: Shop) -> None:
    """A call that seemed lost may arrive late, after everything was compensated."""
    ledger.release(KEY, STOCK, 2)
    with pytest.raises(ReservationConflict):
        ledger.reserve(KEY, STOCK, 2)
    assert stock() == 10


def test_a_parcel_that_was_picked_up_cannot_be_canceled(world: Shop) -> None:
    assert shop.book(ORDER)
    world.carrier_picks_up()
    assert not shop.cancel(ORDER)
    assert shop.parcel_status(ORDER) is ReservationStatus.PICKED_UP


def test_the_parcel_is_compensated_first_and_its_outcome_decides() -> None:
    assert [step.is_pivot for step in reversed(shop.STEPS)] == [True, False, False]


@pytest.mark.parametrize("order", interleavings(2, 1))
def test_a_late_reservation_and_its_release_leave_nothing_held_in_any_interleaving(
    world: Shop, order: str
) -> None:
    """A release that finds nothing blocks the key; if it races the reservation, it is retried."""
    results = Interleaving(order).run(
        CLIENTS, A=partial(ledger.release, KEY, STOCK, 2), B=partial(ledger.reserve, KEY, STOCK, 2)
    )
    if isinstance(results["A"], Exception):
        assert is_transient(results["A"])
        ledger.release(KEY, STOCK, 2)
    assert stock() == 10
    assert ledger.status(KEY) is ReservationStatus.RELEASED


@pytest.mark.parametrize("step", shop.STEPS, ids=lambda step: step.name)
@pytest.mark.parametrize("moment", moments(1), ids=str)
def test_a_step_that_crashed_and_is_retried_takes_effect_once(
    world: Shop, step: shop.SagaStep, moment: Any
) -> None:
    for act in (step.action, step.compensation):
        with crash_at(CLIENTS, moment) as crashes, pytest.raises(SystemExit):
            act(ORDER)
        assert crashes
        act(ORDER)
    assert [write.partition(" ")[2] for write in world.written] == ["held", "released"]


def _canceled(*codes: str) -> Mapping[str, Any]:
    return {
        "service_error_code": "TransactionCanceledException",
        "modeled_fields": {"CancellationReasons": [{"Code": code} for code in codes]},
    }


@pytest.mark.parametrize(
    "error",
    [
        _canceled("None", "TransactionConflict"),
        _canceled("ThrottlingError", "None"),
        _canceled("ConditionalCheckFailed", "ProvisionedThroughputExceeded"),
        {"service_error_code": "TransactionInProgressException"},
    ],
    ids=str,
)
def test_a_temporarily_canceled_transaction_is_a_transient_error(
    world: Shop, error: Mapping[str, Any]
) -> None:
    with Stubber(ledger_writes.dynamodb) as stubber:
        stubber.add_client_error("transact_write_items", **error)
        with pytest.raises(TransientError):
            ledger.reserve(KEY, STOCK, 2)


def test_an_invalid_transaction_is_an_error_and_not_a_refusal(world: Shop) -> None:
    with Stubber(ledger_writes.dynamodb) as stubber:
        stubber.add_client_error("transact_write_items", **_canceled("None", "ValidationError"))
        with pytest.raises(ledger_writes.dynamodb.exceptions.TransactionCanceledException):
            ledger.reserve(KEY, STOCK, 2)


# -- starting -------------------------------------------------------------------------------------


def test_an_invalid_order_starts_nothing(world: Shop) -> None:
    context: Any = None
    with pytest.raises(InvalidOrder):
        start.handler({**ORDER, "cents": "49.00"}, context)
