"""The baseline of `batch_import`: what it does well, and what its approach loses or duplicates."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from baselines import batch_import as baseline
from patterns.batch_import import blocks, totals
from scenarios.worlds.ledger import RECORDS, WANTED, Ledgers, cents_of, created, ledger
from scenarios.worlds.stage import Stage
from tests.baselines.batch_import import (
    BASELINE,
    BATCH_SECONDS,
    CLIENTS,
    IN_THE_SECOND,
    baseline_system,
    reads,
)
from tests.interference import Moment, crash_at, watching

CENTS = sum(map(cents_of, range(RECORDS)))
TOTAL = {"records": RECORDS, "cents": CENTS, "is_finished": True}


def play(stage: Stage, event: dict[str, Any] = WANTED) -> None:
    stage.send(BASELINE, event)
    stage.play()


def later(stage: Stage, fault: Any, world: Ledgers) -> None:
    seconds = timedelta(seconds=IN_THE_SECOND)
    stage.simulation.clock.schedule(seconds, lambda: fault(world), "a fault")


def errors_of(stage: Stage) -> list[str]:
    calls = stage.simulation.service.calls.completed
    return [f"{call.error.type}: {call.error.message}" for call in calls if call.error]


# -- strengths ------------------------------------------------------------------------------------


def test_it_invokes_itself_when_too_little_time_remains_for_another_batch() -> None:
    with baseline_system() as (stage, world):
        play(stage)
        assert stage.calls_of(BASELINE) == 3
        assert errors_of(stage) == []
    assert world.row == TOTAL


def test_one_invocation_imports_everything_if_its_timeout_allows() -> None:
    with baseline_system(timeout=timedelta(minutes=15)) as (stage, world):
        play(stage)
        assert stage.calls_of(BASELINE) == 1
    assert world.row == TOTAL


def test_it_accepts_an_s3_event_and_pins_the_object_to_its_etag() -> None:
    with baseline_system() as (stage, world):
        play(stage, created(world.put(ledger())))
        play(stage, created("0" * 32))
        assert {error.partition(":")[0] for error in errors_of(stage)} == {"ObjectReplaced"}
    assert world.row == TOTAL


def test_a_warm_environment_revalidates_the_object_instead_of_reading_it_again() -> None:
    with baseline_system() as (stage, world), watching([blocks.s3]) as calls, reads() as sizes:
        play(stage)
        assert calls.names == ["GetObject"] * 3
    assert sizes == [len(ledger())]
    assert world.row == TOTAL


def test_a_cold_environment_reads_the_object_again() -> None:
    with baseline_system() as (stage, world), reads() as sizes:
        later(stage, Ledgers.lose_cache, world)
        play(stage)
    assert sizes == [len(ledger())] * 2
    assert world.row == TOTAL


def test_only_one_object_is_cached() -> None:
    with baseline_system() as (stage, world):
        play(stage)
        world.replace()
        play(stage)
        assert list(baseline.cached_objects) == [(WANTED["bucket"], WANTED["key"])]
    assert {row["records"] for row in world.rows.values()} == {RECORDS, RECORDS + 1}


def test_the_next_invocation_detects_an_object_that_was_replaced_mid_run() -> None:
    with baseline_system() as (stage, world):
        later(stage, Ledgers.replace, world)
        play(stage)
        assert {error.partition(":")[0] for error in errors_of(stage)} == {"ObjectReplaced"}
        assert stage.dead_letters == 1
    assert world.row is not None
    assert "is_finished" not in world.row


def test_a_missing_object_is_reported() -> None:
    with baseline_system() as (stage, world):
        world.delete()
        play(stage)
        assert set(errors_of(stage)) == {
            "ObjectMissing: object '2026/january.jsonl' in bucket ledgers does not exist"
        }
    assert world.row is None


# -- guards against runaway loops -----------------------------------------------------------------


def test_it_invokes_itself_fifteen_times_and_then_reports_its_progress() -> None:
    with baseline_system(content=ledger(400)) as (stage, _):
        play(stage)
        assert set(errors_of(stage)) == {
            "RunawayLoop: stopped after 16 invocations with 32 batches added"
        }
        assert stage.calls_of(BASELINE) == (baseline.MAX_DEPTH + 1) + 3, (
            "three attempts of the last"
        )


def test_it_does_nothing_if_its_timeout_is_too_short_for_a_batch() -> None:
    with baseline_system(timeout=timedelta(seconds=BATCH_SECONDS)) as (stage, world):
        play(stage)
        assert set(errors_of(stage)) == {
            "RunawayLoop: the function's timeout is too short for a batch"
        }
    assert world.row is None


# -- weaknesses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "doubled"),
    [
        pytest.param((2, "after"), "the first two batches", id="after the second batch is added"),
        pytest.param((3, "before"), "the first two batches", id="before it invokes itself"),
        pytest.param((3, "after"), "all batches", id="after it invokes itself"),
    ],
)
def test_a_crash_after_adding_batches_adds_them_again(moment: Moment, doubled: str) -> None:
    with crash_at(CLIENTS, moment) as crashes, baseline_system() as (stage, world):
        play(stage)
    assert crashes
    assert world.row is not None
    assert world.row["is_finished"], "nothing reveals the wrong total"
    batch = ledger()[: 2 * 1_024].count(b"\n") + 1
    extra = RECORDS if doubled == "all batches" else batch
    assert world.row["records"] == RECORDS + extra


def test_a_duplicate_event_adds_everything_twice() -> None:
    with baseline_system() as (stage, world):
        stage.send(BASELINE, WANTED)
        play(stage)
    assert world.row == {**TOTAL, "records": 2 * RECORDS, "cents": 2 * CENTS}


def test_throttling_by_the_table_adds_earlier_batches_again() -> None:
    with baseline_system() as (stage, world), watching([totals.dynamodb]):
        later(stage, Ledgers.throttle_table, world)
        play(stage)
        assert len(errors_of(stage)) == 1
    assert world.row is not None
    assert world.row["is_finished"]
    assert world.row["records"] > RECORDS
