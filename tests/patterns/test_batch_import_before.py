"""The import by hand: what it does well, and what its approach loses or doubles."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from patterns.batch_import import before, blocks, totals
from scenarios.worlds.ledger import RECORDS, WANTED, Ledgers, cents_of, created, ledger
from scenarios.worlds.stage import Stage
from tests.by_hand.batch_import import (
    BATCH_SECONDS,
    BY_HAND,
    CLIENTS,
    IN_THE_SECOND,
    by_hand,
    reads,
)
from tests.interference import Moment, dying_at, watching

CENTS = sum(map(cents_of, range(RECORDS)))
TOTAL = {"records": RECORDS, "cents": CENTS, "is_finished": True}


def play(stage: Stage, event: dict[str, Any] = WANTED) -> None:
    stage.send(BY_HAND, event)
    stage.play()


def later(stage: Stage, happen: Any, world: Ledgers) -> None:
    seconds = timedelta(seconds=IN_THE_SECOND)
    stage.simulation.clock.schedule(seconds, lambda: happen(world), "a fault")


def errors_of(stage: Stage) -> list[str]:
    made = stage.simulation.service.calls.made
    return [f"{call.error.type}: {call.error.message}" for call in made if call.error]


# -- what it does well ----------------------------------------------------------------------------


def test_it_hands_on_when_too_little_time_is_left_for_another_batch() -> None:
    with by_hand() as (stage, world):
        play(stage)
        assert stage.calls_of(BY_HAND) == 3
        assert errors_of(stage) == []
    assert world.row == TOTAL


def test_with_time_enough_one_invocation_does_it_all() -> None:
    with by_hand(timeout=timedelta(minutes=15)) as (stage, world):
        play(stage)
        assert stage.calls_of(BY_HAND) == 1
    assert world.row == TOTAL


def test_it_takes_the_event_of_s3_and_holds_the_object_to_its_etag() -> None:
    with by_hand() as (stage, world):
        play(stage, created(world.put(ledger())))
        play(stage, created("0" * 32))
        assert {error.partition(":")[0] for error in errors_of(stage)} == {"ObjectReplaced"}
    assert world.row == TOTAL


def test_a_warm_environment_is_told_that_the_object_is_the_same_and_not_sent_it_again() -> None:
    with by_hand() as (stage, world), watching([blocks.s3]) as calls, reads() as sizes:
        play(stage)
        assert calls.made == ["GetObject"] * 3
    assert sizes == [len(ledger())]
    assert world.row == TOTAL


def test_a_cold_one_reads_it_again() -> None:
    with by_hand() as (stage, world), reads() as sizes:
        later(stage, Ledgers.lose_cache, world)
        play(stage)
    assert sizes == [len(ledger())] * 2
    assert world.row == TOTAL


def test_one_object_is_kept_and_no_more() -> None:
    with by_hand() as (stage, world):
        play(stage)
        world.replace()
        play(stage)
        assert list(before.kept) == [(WANTED["bucket"], WANTED["key"])]
    assert {row["records"] for row in world.rows.values()} == {RECORDS, RECORDS + 1}


def test_an_object_that_is_replaced_in_mid_run_is_noticed_by_the_next_invocation() -> None:
    with by_hand() as (stage, world):
        later(stage, Ledgers.replace, world)
        play(stage)
        assert {error.partition(":")[0] for error in errors_of(stage)} == {"ObjectReplaced"}
        assert stage.dead_letters == 1
    assert world.row is not None
    assert "is_finished" not in world.row


def test_an_object_that_is_missing_is_told() -> None:
    with by_hand() as (stage, world):
        world.delete()
        play(stage)
        assert set(errors_of(stage)) == {
            "ObjectMissing: there is no object '2026/january.jsonl' in ledgers"
        }
    assert world.row is None


# -- what stops it from running away --------------------------------------------------------------


def test_it_invokes_itself_fifteen_times_and_then_says_how_far_it_came() -> None:
    with by_hand(content=ledger(400)) as (stage, _):
        play(stage)
        assert set(errors_of(stage)) == {"RanAway: after 16 calls, 32 batches are done"}
        assert stage.calls_of(BY_HAND) == (before.MOST_DEPTH + 1) + 3, "three for the last"


def test_with_a_timeout_that_is_too_short_for_a_batch_it_does_nothing_at_all() -> None:
    with by_hand(timeout=timedelta(seconds=BATCH_SECONDS)) as (stage, world):
        play(stage)
        assert set(errors_of(stage)) == {
            "RanAway: the function's timeout leaves no time for a batch"
        }
    assert world.row is None


# -- where it is weak -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "doubled"),
    [
        pytest.param((2, "after"), "the first two batches", id="after the second batch is added"),
        pytest.param((3, "before"), "the first two batches", id="before it hands on"),
        pytest.param((3, "after"), "all batches", id="after it has handed on"),
    ],
)
def test_who_dies_with_batches_added_has_them_added_again(moment: Moment, doubled: str) -> None:
    with dying_at(CLIENTS, moment) as died, by_hand() as (stage, world):
        play(stage)
    assert died
    assert world.row is not None
    assert world.row["is_finished"], "nothing shows that it is wrong"
    batch = ledger()[: 2 * 1_024].count(b"\n") + 1
    extra = RECORDS if doubled == "all batches" else batch
    assert world.row["records"] == RECORDS + extra


def test_the_same_event_twice_is_everything_twice() -> None:
    with by_hand() as (stage, world):
        stage.send(BY_HAND, WANTED)
        play(stage)
    assert world.row == {**TOTAL, "records": 2 * RECORDS, "cents": 2 * CENTS}


def test_a_table_that_throttles_has_the_batches_before_added_again() -> None:
    with by_hand() as (stage, world), watching([totals.dynamodb]):
        later(stage, Ledgers.throttle_table, world)
        play(stage)
        assert len(errors_of(stage)) == 1
    assert world.row is not None
    assert world.row["is_finished"]
    assert world.row["records"] > RECORDS
