"""Division of objects, parsing of records, the cache, the totals, and the start of an import."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parser import ValidationError
from botocore.response import StreamingBody
from hypothesis import given
from hypothesis import strategies as st

from dacapo import Simulation, quotas
from patterns.batch_import import blocks, cache, logic, records, start, totals
from patterns.batch_import.handler import handler
from patterns.batch_import.logic import InvalidImport, TooLarge
from patterns.batch_import.records import MalformedRecord
from patterns.batch_import.totals import TotalsMismatch
from patterns.transient import TransientError
from scenarios.worlds.ledger import IMPORTER, created, ledger_world, private_tmp
from scenarios.worlds.ledger import WANTED as EVENT

LINES = st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=30)

SIZES = "batch_bytes: must be an integer from 1,024 to 67,108,864"

# -- division -------------------------------------------------------------------------------------


@given(st.integers(0, 5_000), st.integers(1, 700))
def test_batches_cover_the_whole_object_without_gap_or_overlap(size: int, batch_bytes: int) -> None:
    if size > logic.MAX_BATCHES * batch_bytes:
        with pytest.raises(TooLarge):
            logic.batches_of(size, batch_bytes)
        return
    batches = logic.batches_of(size, batch_bytes)
    assert [batch.number for batch in batches] == list(range(1, len(batches) + 1))
    assert all(batch.start < batch.end <= batch.start + batch_bytes for batch in batches)
    assert all(one.end == other.start for one, other in pairwise(batches))
    assert [batches[0].start, batches[-1].end] == [0, size] if size else batches == []
    assert list(chain.from_iterable(logic.chunks_of(batches))) == batches


@given(LINES, st.booleans(), st.integers(1, 90))
def test_every_line_is_in_exactly_one_batch_at_any_batch_size(
    lines: list[bytes], ends_with_a_newline: bool, batch_bytes: int
) -> None:
    content = b"\n".join(lines) + b"\n" * ends_with_a_newline
    lines_with_offsets = [
        line
        for batch in logic.batches_of(len(content), batch_bytes)
        for line in records.lines_of(batch, _blocks(content, batch.start, batch_bytes))
    ]
    assert b"\n".join(line for _, line in lines_with_offsets) == content.removesuffix(b"\n")
    assert all(content[offset : offset + len(line)] == line for offset, line in lines_with_offsets)


def _blocks(content: bytes, start: int, batch_bytes: int) -> Iterator[bytes]:
    return (content[a:b] for a, b in logic.ranges_from(start, len(content), batch_bytes))


def test_a_batch_reads_past_its_end_the_range_that_the_next_batch_starts_with() -> None:
    size, batch_bytes = 3 * logic.BATCH_BYTES + 5, logic.BATCH_BYTES
    from_start = list(logic.ranges_from(0, size, batch_bytes))
    assert len(from_start) == 3 * 8 + 1
    assert max(end - start for start, end in from_start) == logic.BLOCK_BYTES
    for batch in logic.batches_of(size, batch_bytes):
        ranges = list(logic.ranges_from(batch.start, size, batch_bytes))
        assert ranges == from_start[-len(ranges) :]


def test_the_largest_object_leaves_operations_for_retries() -> None:
    batches = logic.batches_of(64 * 1024 * logic.MIB, logic.BATCH_BYTES)
    chunks = logic.chunks_of(batches)
    execution, pin, begin, finish, waits = 1, 1, 1, 1, len(chunks) - 1
    operations = execution + pin + begin + len(batches) + len(chunks) + waits + finish
    assert operations == 1_539
    assert operations < quotas.OPERATIONS * 0.6
    with pytest.raises(TooLarge, match=r"68,719,476,737 bytes exceed .* in batches of 67,108,864"):
        logic.batches_of(64 * 1024 * logic.MIB + 1, logic.BATCH_BYTES)


def test_a_chunk_finishes_within_an_invocation_at_one_mebibyte_per_second() -> None:
    seconds = logic.BATCHES_PER_CHUNK * logic.BATCH_BYTES / logic.MIB
    assert seconds < quotas.INVOCATION.total_seconds() / 3


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (None, "event: must be an object"),
        ({"key": "k"}, "bucket: must be a non-empty string"),
        ({"bucket": "b", "key": ""}, "key: must be a non-empty string"),
        ({"bucket": "b", "key": "k", "etag": 7}, "etag: must be a string or omitted"),
        (
            {"bucket": "b", "key": "k", "batch_bytes": 1_023},
            SIZES,
        ),
        ({"bucket": "b", "key": "k", "batch_bytes": True}, SIZES),
        (
            {"bucket": "b", "key": "k", "batch_bytes": logic.BATCH_BYTES + 1},
            SIZES,
        ),
    ],
)
def test_an_invalid_event_is_rejected_with_the_field_named(event: Any, message: str) -> None:
    with pytest.raises(InvalidImport) as error:
        logic.parse_import(event)
    assert str(error.value) == message


# -- records --------------------------------------------------------------------------------------


def sum_of(content: bytes) -> records.Sums:
    (batch,) = logic.batches_of(len(content), logic.BATCH_BYTES)
    return records.sum_batch(batch, [content])


def test_records_are_counted_and_summed_and_empty_lines_are_ignored() -> None:
    content = b'{"account": "A", "cents": 5}\r\n\n{"account": "B", "cents": -7, "x": []}\n \n'
    assert sum_of(content) == {"records": 2, "cents": -2}


@pytest.mark.parametrize(
    "line",
    [
        *(b"secret", b"[]", b'"secret"', b"{}", b"\xff\xfe", b"[" * 100_000, b'{"cents": 1}'),
        *(b'{"account": "secret"}', b'{"account": "secret", "cents": "12"}'),
        *(b'{"account": "", "cents": 1}', b'{"account": "secret", "cents": 1.5}'),
        *(b'{"account": "secret", "cents": true}', b'{"account": "secret", "cents": NaN}'),
        *(b'{"account": "secret", "cents": 1000000000000001}', b"9" * 5_000),
    ],
)
def test_the_error_for_a_malformed_line_gives_its_position_and_never_its_content(
    line: bytes,
) -> None:
    with pytest.raises(MalformedRecord) as error:
        sum_of(b'{"account": "A", "cents": 5}\n' + line + b"\n")
    assert str(error.value) == "batch 1: invalid record at byte 29"
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


def test_an_endless_line_is_rejected_before_it_fills_the_memory() -> None:
    consumed: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            consumed.append(logic.KIB)
            yield b"x" * logic.KIB

    with pytest.raises(MalformedRecord):
        records.sum_batch(logic.Batch(1, 0, logic.BATCH_BYTES), endless())
    assert sum(consumed) == records.MAX_LINE_BYTES + logic.KIB


# -- the cache ------------------------------------------------------------------------------------


@pytest.fixture
def tmp() -> Iterator[Path]:
    with private_tmp() as folder:
        yield folder


def cached_files() -> list[Path]:
    return sorted(cache.folder().iterdir())


@pytest.mark.usefixtures("tmp")
def test_a_block_is_found_only_under_the_name_it_was_saved_under() -> None:
    cache.save("one", b"block")
    assert cache.load("one") == b"block"
    assert cache.load("two") is None


@pytest.mark.usefixtures("tmp")
@pytest.mark.parametrize("content", [b"", b"half", b"x" * 100])
def test_a_damaged_file_is_a_miss(content: bytes) -> None:
    cache.save("one", b"block")
    (path,) = cached_files()
    path.write_bytes(content)
    assert cache.load("one") is None


@pytest.mark.usefixtures("tmp")
def test_the_oldest_blocks_are_evicted_so_that_the_maximum_is_never_exceeded() -> None:
    for number in range(cache.MAX_BLOCKS + 3):
        cache.save(str(number), b"block")
        assert len(cached_files()) <= cache.MAX_BLOCKS
    remaining = [n for n in range(cache.MAX_BLOCKS + 3) if cache.load(str(n)) is not None]
    assert remaining == list(range(3, cache.MAX_BLOCKS + 3))


@pytest.mark.usefixtures("tmp")
def test_a_half_written_file_is_evicted_like_any_other() -> None:
    cache.save("one", b"block")
    (cache.folder() / "left.half").write_bytes(b"hal")
    for number in range(cache.MAX_BLOCKS):
        cache.save(str(number), b"block")
    assert cache.folder() / "left.half" not in cached_files()


def test_a_folder_that_cannot_be_created_is_a_miss_and_not_a_failure(tmp: Path) -> None:
    cache.folder().write_text("in the way")
    cache.save("one", b"block")
    assert cache.load("one") is None


@pytest.mark.usefixtures("tmp")
def test_a_block_that_cannot_be_renamed_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    cache.save("one", b"block")
    assert cached_files() == []


# -- reading --------------------------------------------------------------------------------------


def test_a_connection_that_breaks_within_a_range_is_a_transient_error() -> None:
    def break_off(parsed: Any, **_: Any) -> None:
        parsed["Body"] = StreamingBody(io.BytesIO(b"the first bytes"), parsed["ContentLength"])

    with ledger_world():
        pinned = blocks.pin(logic.parse_import(EVENT))
        batch = logic.batches_of(pinned["size"], logic.KIB)[0]
        blocks.s3.meta.events.register("after-call.s3.GetObject", break_off)
        try:
            with pytest.raises(TransientError):
                next(blocks.read(pinned, batch, logic.KIB))
        finally:
            blocks.s3.meta.events.unregister("after-call.s3.GetObject", break_off)
        assert not cache.folder().exists(), "nothing of it is cached"
        assert len(next(blocks.read(pinned, batch, logic.KIB))) == logic.KIB


# -- totals ---------------------------------------------------------------------------------------

SUMS: records.Sums = {"records": 2, "cents": 30}


def test_a_batch_is_added_once_and_in_order() -> None:
    with ledger_world() as world:
        totals.begin("one", 1_024)
        totals.add("one", 1, SUMS)
        totals.add("one", 1, SUMS)
        with pytest.raises(TotalsMismatch, match="can't add batch 3 to one: its last batch is 1"):
            totals.add("one", 3, SUMS)
        with pytest.raises(TotalsMismatch, match="can't finish one: batch 2 was not added"):
            totals.finish("one", 2)
    assert world.row == {"records": 2, "cents": 30, "last_batch": 1, "batch_bytes": 1_024}


def test_nothing_is_added_to_a_missing_row() -> None:
    with ledger_world() as world:
        with pytest.raises(TotalsMismatch):
            totals.add("one", 1, SUMS)
        with pytest.raises(TotalsMismatch):
            totals.finish("one", 0)
    assert world.row is None


# -- starting an import ---------------------------------------------------------------------------


def started_by(*events: dict[str, Any]) -> list[Any]:
    """Return the inputs of the executions that these events start."""
    simulation = Simulation(0, datetime(2026, 1, 1, tzinfo=UTC))
    simulation.add_function(IMPORTER, handler)
    context: Any = None
    with simulation.running(), ledger_world():
        arns = [start.handler(event, context)["execution_arn"] for event in events]
        executions = simulation.service.executions
        assert set(arns) == set(executions)
        return [json.loads(execution.payload) for execution in executions.values()]


def test_a_duplicate_event_starts_one_import_of_exactly_that_content() -> None:
    wanted = {"bucket": EVENT["bucket"], "key": EVENT["key"], "etag": "a1"}
    assert started_by(created("a1"), created("a1")) == [wanted]


def test_new_content_under_the_same_key_starts_another_import() -> None:
    assert [wanted["etag"] for wanted in started_by(created("a1"), created("b2"))] == ["a1", "b2"]


@pytest.mark.parametrize("detail", [{}, {"bucket": {"name": "b"}, "object": {"key": "k"}}])
def test_an_event_of_another_shape_starts_nothing(detail: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        started_by(created("a1") | {"detail": detail})
