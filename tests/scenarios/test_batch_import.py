"""Import a ledger completely and exactly once, despite errors, replaced objects, and crashes."""

from __future__ import annotations

import math

import pytest

from dacapo import Durable, Recording, Scenario
from patterns.batch_import import blocks, totals
from patterns.transient import MAX_ATTEMPTS
from scenarios import batch_import as scenarios
from scenarios.worlds.ledger import BATCH_BYTES, RECORDS, cents_of, ledger
from tests.interference import Moment, at_every_call, crash_at, watching
from tests.scenarios.engines import only_in_virtual_time

CLIENTS = [blocks.s3, totals.dynamodb]
CENTS = sum(map(cents_of, range(RECORDS)))
BATCHES = math.ceil(len(ledger()) / BATCH_BYTES)
TOTAL = {"records": RECORDS, "cents": CENTS}
FIRST_CHUNK = 4


def assert_imports(durable: Durable, scenario: Scenario) -> Recording:
    """Assert that the result and the row agree and are correct."""
    recording = durable.run(scenario)
    assert len(recording.invocations) > 1, "nothing was replayed"
    assert recording.result == {**TOTAL, "batches": BATCHES}, recording.error
    row = recording.world.row
    assert row == {
        **TOTAL,
        "last_batch": BATCHES,
        "batch_bytes": BATCH_BYTES,
        "is_finished": True,
    }
    return recording


def assert_fails(durable: Durable, scenario: Scenario, error: str, message: str) -> Recording:
    """Assert that the error says why, and that no row is marked as finished."""
    recording = durable.run(scenario)
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert (recording.error.type or "").endswith(error)
    assert recording.error.message == message
    assert not any(row.get("is_finished") for row in recording.world.rows.values())
    return recording


# -- imported -------------------------------------------------------------------------------------


def test_a_ledger_is_imported_in_batches_with_one_invocation_per_chunk(
    durable: Durable,
) -> None:
    recording = assert_imports(durable, scenarios.finishes)
    done = [o.name for o in recording.operations if (o.name or "").startswith("import batch ")]
    assert done == [f"import batch {n}" for n in range(1, BATCHES + 1)]
    assert len(recording.invocations) == 2


def test_a_completed_chunk_is_replayed_as_one_result_without_its_batches(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "keeps no history")
    recording = durable.run(scenarios.finishes)
    read_back = [o.name for o in recording.replayed_in(recording.invocations[-1])]
    assert "import chunk 1" in read_back
    assert "import batch 1" not in read_back


def test_an_empty_object_is_imported_with_a_total_of_zero(durable: Durable) -> None:
    recording = durable.run(scenarios.empty)
    assert recording.result == {"records": 0, "cents": 0, "batches": 0}
    assert recording.world.row["is_finished"]


def test_an_import_that_another_execution_has_started_is_not_added_twice(durable: Durable) -> None:
    assert_imports(durable, scenarios.started_before)


@pytest.mark.parametrize("scenario", [scenarios.s3_throttles, scenarios.table_throttles])
def test_a_throttled_call_is_retried_by_its_batch_alone(
    durable: Durable, scenario: Scenario
) -> None:
    only_in_virtual_time(durable, "skips to the second chunk before any external event")
    recording = assert_imports(durable, scenario)
    attempts = {o.name: o.attempts for o in recording.operations if o.attempts > 1}
    assert attempts == {"import batch 5": 2}


# -- the cache ------------------------------------------------------------------------------------


def reads_of(durable: Durable, scenario: Scenario) -> int:
    """Return the number of ranges requested from S3."""
    only_in_virtual_time(durable, "calls from several threads")
    with watching([blocks.s3]) as calls:
        assert_imports(durable, scenario)
    return calls.names.count("GetObject")


def test_with_the_cache_each_range_is_read_once(durable: Durable) -> None:
    assert reads_of(durable, scenarios.finishes) == BATCHES


def test_without_a_cache_each_border_is_read_from_both_sides(durable: Durable) -> None:
    assert reads_of(durable, scenarios.no_tmp) == 2 * BATCHES - 1


def test_a_cache_that_is_lost_between_invocations_costs_one_extra_read(
    durable: Durable,
) -> None:
    assert reads_of(durable, scenarios.cache_lost) == BATCHES + 1


def test_a_retried_batch_finds_its_ranges_in_the_cache(durable: Durable) -> None:
    assert reads_of(durable, scenarios.table_throttles) == BATCHES


# -- not imported ---------------------------------------------------------------------------------


def test_a_missing_object_is_reported_at_once(durable: Durable) -> None:
    message = "object '2026/january.jsonl' in bucket ledgers does not exist"
    recording = assert_fails(durable, scenarios.missing, "StepError", message)
    assert recording.world.row is None


def test_an_object_replaced_before_the_import_starts_is_left_to_its_own_import(
    durable: Durable,
) -> None:
    message = "object '2026/january.jsonl' in bucket ledgers was replaced"
    recording = assert_fails(durable, scenarios.replaced_before, "StepError", message)
    assert recording.world.row is None


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        (scenarios.replaced_mid_run, "object '2026/january.jsonl' in bucket ledgers was replaced"),
        (scenarios.deleted_mid_run, "object '2026/january.jsonl' in bucket ledgers does not exist"),
    ],
)
def test_an_object_replaced_or_deleted_mid_run_stops_the_import_at_the_current_batch(
    durable: Durable, scenario: Scenario, message: str
) -> None:
    only_in_virtual_time(durable, "skips to the second chunk before any external event")
    recording = assert_fails(durable, scenario, "ChildContextError", message)
    assert recording.world.row["last_batch"] == FIRST_CHUNK
    assert recording.operation("import batch 5").attempts == 1, "a retry would not help"


def test_a_malformed_record_stops_the_import_at_its_batch_without_a_retry(
    durable: Durable,
) -> None:
    message = "batch 5: invalid record at byte 4,597"
    recording = assert_fails(durable, scenarios.malformed, "ChildContextError", message)
    assert recording.operation("import batch 5").attempts == 1
    assert recording.world.row["last_batch"] == FIRST_CHUNK


def test_an_object_that_is_too_large_is_rejected_before_anything_is_read(durable: Durable) -> None:
    message = "1,048,577 bytes exceed the maximum of 1,048,576 bytes in batches of 1,024"
    recording = assert_fails(durable, scenarios.too_large, "TooLarge", message)
    assert recording.world.row is None


def test_an_invalid_event_is_rejected_before_the_first_operation(
    durable: Durable,
) -> None:
    recording = assert_fails(
        durable, scenarios.invalid_import, "InvalidImport", "key: must be a non-empty string"
    )
    assert recording.operations == []


def test_an_import_that_was_started_with_another_batch_size_is_left_alone(durable: Durable) -> None:
    scenario = scenarios.started_before_with_other_batch_size
    recording = durable.run(scenario)
    assert recording.status == "FAILED"
    assert "was not started in batches of 1,024" in str(recording.error and recording.error.message)
    assert recording.world.row == {"records": 0, "cents": 0, "last_batch": 0, "batch_bytes": 2_048}


def test_throttling_by_s3_that_outlasts_all_attempts_fails_the_import(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "skips to the second chunk before any external event")
    recording = durable.run(scenarios.s3_throttles_for_good)
    assert recording.status == "FAILED"
    assert recording.operation("import batch 5").attempts == MAX_ATTEMPTS
    assert "is_finished" not in recording.world.row


# -- crashes --------------------------------------------------------------------------------------

CALLS = [
    *("HeadObject", "PutItem", "GetObject", "GetObject", "UpdateItem"),
    *("GetObject", "UpdateItem") * (BATCHES - 2),
    *("UpdateItem", "UpdateItem"),
]
"""The last batch finds its one range in the cache: the previous batch has read it for its end."""


def test_an_import_makes_these_calls(durable: Durable) -> None:
    only_in_virtual_time(durable, "calls from several threads")
    with watching(CLIENTS) as calls:
        durable.run(scenarios.finishes)
    assert calls.names == CALLS


@at_every_call(CALLS)
def test_every_batch_is_added_once_despite_a_crash_at_any_call(
    durable: Durable, moment: Moment
) -> None:
    only_in_virtual_time(durable, "can't crash a handler")
    with crash_at(CLIENTS, moment) as crashes:
        recording = assert_imports(durable, scenarios.finishes)
    assert crashes
    assert sum(i.status == "DIED" for i in recording.invocations) == 1
