"""Importing a ledger: whole and once, whatever is thrown, replaced, lost or killed meanwhile."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from dacapo import Scenario
from dacapo.pytest_plugin import Durable
from dacapo.recording import Recording
from patterns.batch_import import blocks, totals
from scenarios import batch_import as stories
from scenarios.worlds.ledger import BATCH_BYTES, RECORDS, cents_of, ledger
from tests.interference import Moment, at_every_call, dying_at, watching
from tests.scenarios.engines import only_in_virtual_time

CLIENTS = [blocks.s3, totals.dynamodb]
CENTS = sum(map(cents_of, range(RECORDS)))
BATCHES = math.ceil(len(ledger()) / BATCH_BYTES)
TOTAL = {"records": RECORDS, "cents": CENTS}
FIRST_CHUNK = 4


def assert_imports(durable: Durable, story: Scenario) -> Recording:
    """The result and the row say the same, and it is what the ledger comes to."""
    recording = durable.run(story)
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


def assert_fails(durable: Durable, story: Scenario, error: str, message: str) -> Recording:
    """It says why, and no row pretends to be a total."""
    recording = durable.run(story)
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert (recording.error.type or "").endswith(error)
    assert recording.error.message == message
    assert not any(row.get("is_finished") for row in recording.world.rows.values())
    return recording


# -- imported -------------------------------------------------------------------------------------


def test_a_ledger_is_imported_in_batches_and_each_chunk_in_an_invocation_of_its_own(
    durable: Durable,
) -> None:
    recording = assert_imports(durable, stories.finishes)
    done = [o.name for o in recording.operations if (o.name or "").startswith("batch ")]
    assert done == [f"batch {n}" for n in range(1, BATCHES + 1)]
    assert len(recording.invocations) == 2


def test_a_chunk_that_is_done_is_read_back_as_one_result_without_its_batches(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "keeps no history")
    recording = durable.run(stories.finishes)
    read_back = [o.name for o in recording.replayed_in(recording.invocations[-1])]
    assert "chunk 1" in read_back
    assert "batch 1" not in read_back


def test_an_empty_object_is_imported_and_comes_to_nothing(durable: Durable) -> None:
    recording = durable.run(stories.empty)
    assert recording.result == {"records": 0, "cents": 0, "batches": 0}
    assert recording.world.row["is_finished"]


def test_what_another_execution_has_begun_is_not_added_again(durable: Durable) -> None:
    assert_imports(durable, stories.begun_before)


@pytest.mark.parametrize("story", [stories.s3_throttles, stories.table_throttles])
def test_a_throttled_call_is_made_again_by_its_batch_alone(
    durable: Durable, story: Scenario
) -> None:
    only_in_virtual_time(durable, "skips to the second chunk before anything happens")
    recording = assert_imports(durable, story)
    attempts = {o.name: o.attempts for o in recording.operations if o.attempts > 1}
    assert attempts == {"batch 5": 2}


# -- the cache ------------------------------------------------------------------------------------


def reads_of(durable: Durable, story: Scenario) -> int:
    """How many ranges S3 is asked for."""
    only_in_virtual_time(durable, "calls from several threads")
    with watching([blocks.s3]) as calls:
        assert_imports(durable, story)
    return calls.made.count("GetObject")


def test_with_the_cache_each_range_is_read_once(durable: Durable) -> None:
    assert reads_of(durable, stories.finishes) == BATCHES


def test_without_a_cache_each_border_is_read_from_both_sides(durable: Durable) -> None:
    assert reads_of(durable, stories.no_tmp) == 2 * BATCHES - 1


def test_a_cache_that_is_lost_between_invocations_costs_a_range_and_nothing_else(
    durable: Durable,
) -> None:
    assert reads_of(durable, stories.cache_lost) == BATCHES + 1


def test_a_batch_that_comes_again_finds_its_ranges_in_the_cache(durable: Durable) -> None:
    assert reads_of(durable, stories.table_throttles) == BATCHES


# -- not imported ---------------------------------------------------------------------------------


def test_an_object_that_is_missing_is_told_at_once(durable: Durable) -> None:
    message = "there is no object '2026/january.jsonl' in ledgers"
    recording = assert_fails(durable, stories.missing, "StepError", message)
    assert recording.world.row is None


def test_an_object_that_was_replaced_before_the_import_began_is_left_to_its_own_import(
    durable: Durable,
) -> None:
    message = "'2026/january.jsonl' in ledgers was replaced"
    recording = assert_fails(durable, stories.replaced_before, "StepError", message)
    assert recording.world.row is None


@pytest.mark.parametrize(
    ("story", "message"),
    [
        (stories.replaced_in_mid_run, "'2026/january.jsonl' in ledgers was replaced"),
        (stories.deleted_in_mid_run, "there is no object '2026/january.jsonl' in ledgers"),
    ],
)
def test_an_object_that_is_replaced_or_deleted_in_mid_run_stops_the_import_where_it_is(
    durable: Durable, story: Scenario, message: str
) -> None:
    only_in_virtual_time(durable, "skips to the second chunk before anything happens")
    recording = assert_fails(durable, story, "ChildContextError", message)
    assert recording.world.row["last_batch"] == FIRST_CHUNK
    assert recording.operation("batch 5").attempts == 1, "it is no use to try again"


def test_a_malformed_record_stops_the_import_at_its_batch_and_is_not_tried_again(
    durable: Durable,
) -> None:
    message = "batch 5: the line at byte 4,597 is no record"
    recording = assert_fails(durable, stories.malformed, "ChildContextError", message)
    assert recording.operation("batch 5").attempts == 1
    assert recording.world.row["last_batch"] == FIRST_CHUNK


def test_an_object_that_is_too_large_is_refused_before_anything_is_read(durable: Durable) -> None:
    message = "1,048,577 bytes: in batches of 1,024, 1,048,576 are the most"
    recording = assert_fails(durable, stories.too_large, "TooLarge", message)
    assert recording.world.row is None


def test_an_event_that_asks_for_no_import_is_refused_before_anything_is_done(
    durable: Durable,
) -> None:
    recording = assert_fails(durable, stories.no_import, "NoImport", "key: give some text")
    assert recording.operations == []


def test_an_import_that_was_begun_in_other_batches_is_left_alone(durable: Durable) -> None:
    story = stories.begun_before_in_other_batches
    recording = durable.run(story)
    assert recording.status == "FAILED"
    assert "was not begun in batches of 1,024" in str(recording.error and recording.error.message)
    assert recording.world.row == {"records": 0, "cents": 0, "last_batch": 0, "batch_bytes": 2_048}


def test_an_s3_that_throttles_for_good_ends_the_import_after_six_attempts(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "skips to the second chunk before anything happens")
    recording = durable.run(stories.s3_throttles_for_good)
    assert recording.status == "FAILED"
    assert recording.operation("batch 5").attempts == 6
    assert "is_finished" not in recording.world.row


# -- who dies -------------------------------------------------------------------------------------

CALLS = [
    *("HeadObject", "PutItem", "GetObject", "GetObject", "UpdateItem"),
    *("GetObject", "UpdateItem") * (BATCHES - 2),
    *("UpdateItem", "UpdateItem"),
]
"""The last batch finds its one range in the cache: the one before has read it for its end."""


def test_an_import_is_these_calls(durable: Durable) -> None:
    only_in_virtual_time(durable, "calls from several threads")
    with watching(CLIENTS) as calls:
        durable.run(stories.finishes)
    assert calls.made == CALLS


@at_every_call(CALLS)
def test_whoever_dies_at_any_call_every_batch_is_added_once(
    durable: Durable, moment: Moment
) -> None:
    only_in_virtual_time(durable, "can't crash a handler")
    with dying_at(CLIENTS, moment) as died:
        recording = assert_imports(durable, stories.finishes)
    assert died
    assert Counter(i.status for i in recording.invocations)["DIED"] == 1
