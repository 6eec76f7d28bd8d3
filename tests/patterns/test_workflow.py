"""What an order is, what the ledger takes and gives back, and what is asked of it at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from botocore.stub import Stubber

from dacapo.scenario import START
from dacapo.simulation import Simulation
from patterns.transient import TransientError, is_transient
from patterns.workflow import begin, ledger, ledger_writes, logic, shop
from patterns.workflow.ledger import Gone, TakenOtherwise
from patterns.workflow.ledger_writes import Standing
from patterns.workflow.logic import InvalidOrder
from scenarios.worlds.registry import dynamodb
from scenarios.worlds.workflow import ORDER, STOCK, TABLE, Shop, shop_world
from tests.interference import TurnTaking, dying_at, moments, orders

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


def test_an_order_is_six_fields_and_no_more() -> None:
    assert logic.order_of({**ORDER, "colour": "red"}) == ORDER


@pytest.mark.parametrize("field", ORDER)
@pytest.mark.parametrize("bad", [None, "", 0, -1, 1.5, True, 10**9, "x" * 201, [], {}], ids=repr)
def test_a_field_that_is_bad_or_missing_is_named(field: str, bad: Any) -> None:
    rest = {name: value for name, value in ORDER.items() if name != field}
    for event in (rest, rest | {field: bad}):
        with pytest.raises(InvalidOrder, match=f"^{field}: "):
            logic.order_of(event)


@pytest.mark.parametrize("event", [None, "A-17", 17, [ORDER]], ids=repr)
def test_what_is_no_object_is_no_order(event: Any) -> None:
    with pytest.raises(InvalidOrder, match="the event: give an object"):
        logic.order_of(event)


# -- the ledger -----------------------------------------------------------------------------------


def test_what_is_taken_twice_under_one_key_is_taken_once(world: Shop) -> None:
    assert ledger.take(KEY, STOCK, 2)
    assert ledger.take(KEY, STOCK, 2)
    assert stock() == 8


def test_what_is_taken_again_is_taken_even_if_the_supply_is_empty_by_now(world: Shop) -> None:
    assert ledger.take(KEY, STOCK, 10)
    assert ledger.take(KEY, STOCK, 10)
    assert stock() == 0


@pytest.mark.parametrize(("supply", "amount"), [(STOCK, 11), ("stock#unheard-of", 1)])
def test_a_supply_gives_no_more_than_it_holds(world: Shop, supply: str, amount: int) -> None:
    assert not ledger.take(KEY, supply, amount)
    assert stock() == 10
    with pytest.raises(KeyError):
        ledger.standing(KEY)


@pytest.mark.parametrize(("supply", "amount"), [(STOCK, 3), ("account#ada", 2)])
def test_a_key_stands_for_one_thing(world: Shop, supply: str, amount: int) -> None:
    ledger.take(KEY, STOCK, 2)
    for act in (ledger.take, ledger.give_back):
        with pytest.raises(TakenOtherwise):
            act(KEY, supply, amount)
    assert stock() == 8


def test_what_is_given_back_twice_is_given_back_once(world: Shop) -> None:
    ledger.take(KEY, STOCK, 2)
    ledger.give_back(KEY, STOCK, 2)
    ledger.give_back(KEY, STOCK, 2)
    assert stock() == 10
    assert ledger.standing(KEY) is Standing.GIVEN_BACK


def test_what_was_never_taken_is_not_given_back_and_can_not_be_taken_any_more(world: Shop) -> None:
    """A call that was thought lost may come late: after everything was undone."""
    ledger.give_back(KEY, STOCK, 2)
    with pytest.raises(TakenOtherwise):
        ledger.take(KEY, STOCK, 2)
    assert stock() == 10


def test_a_parcel_that_is_gone_can_not_be_cancelled(world: Shop) -> None:
    shop.book(ORDER)
    world.be_picked_up()
    with pytest.raises(Gone):
        shop.cancel(ORDER)
    assert shop.withdraw_parcel(ORDER) is Standing.GONE


@pytest.mark.parametrize("order", orders(2, 1))
def test_a_late_taking_and_its_undoing_leave_nothing_held_in_any_order(
    world: Shop, order: str
) -> None:
    """The undoing finds nothing and says so; if it is taken just then, the undoing comes again."""
    results = TurnTaking(order).run(
        CLIENTS, A=partial(ledger.give_back, KEY, STOCK, 2), B=partial(ledger.take, KEY, STOCK, 2)
    )
    if isinstance(results["A"], Exception):
        assert is_transient(results["A"])
        ledger.give_back(KEY, STOCK, 2)
    assert stock() == 10
    assert ledger.standing(KEY) is Standing.GIVEN_BACK


@pytest.mark.parametrize("move", shop.MOVES, ids=lambda move: move.name)
@pytest.mark.parametrize("moment", moments(1), ids=str)
def test_a_move_that_died_is_made_once_when_it_is_made_again(
    world: Shop, move: shop.Move, moment: Any
) -> None:
    for act in (move.do, move.undo):
        with dying_at(CLIENTS, moment) as died, pytest.raises(SystemExit):
            act(ORDER)
        assert died
        act(ORDER)
    assert [what.partition(" ")[2] for what in world.written] == ["held", "given back"]


def _cancelled(*codes: str) -> Mapping[str, Any]:
    return {
        "service_error_code": "TransactionCanceledException",
        "modeled_fields": {"CancellationReasons": [{"Code": code} for code in codes]},
    }


@pytest.mark.parametrize(
    "error",
    [
        _cancelled("None", "TransactionConflict"),
        _cancelled("ThrottlingError", "None"),
        _cancelled("ConditionalCheckFailed", "ProvisionedThroughputExceeded"),
        {"service_error_code": "TransactionInProgressException"},
    ],
    ids=str,
)
def test_what_passes_by_itself_is_tried_again(world: Shop, error: Mapping[str, Any]) -> None:
    with Stubber(ledger_writes.dynamodb) as stubber:
        stubber.add_client_error("transact_write_items", **error)
        with pytest.raises(TransientError):
            ledger.take(KEY, STOCK, 2)


def test_a_transaction_that_is_wrong_is_no_refusal(world: Shop) -> None:
    with Stubber(ledger_writes.dynamodb) as stubber:
        stubber.add_client_error("transact_write_items", **_cancelled("None", "ValidationError"))
        with pytest.raises(ledger_writes.dynamodb.exceptions.TransactionCanceledException):
            ledger.take(KEY, STOCK, 2)


# -- asking for it --------------------------------------------------------------------------------


def test_what_is_no_order_begins_nothing(world: Shop) -> None:
    context: Any = None
    with pytest.raises(InvalidOrder):
        begin.handler({**ORDER, "cents": "49.00"}, context)
