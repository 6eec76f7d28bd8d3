"""An import by a function that invokes itself, and a durable one, under the same faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import dacapo
from dacapo import Happening, Scenario
from patterns.batch_import import before, begin, blocks, totals
from patterns.batch_import.handler import handler
from scenarios import batch_import as stories
from scenarios.worlds.beyond_moto import slow
from scenarios.worlds.ledger import (
    BEGIN,
    IMPORTER,
    RECORDS,
    WANTED,
    Ledgers,
    cents_of,
    created,
    ledger,
    ledger_world,
)
from scenarios.worlds.stage import Stage, on_stage
from tests.by_hand.fault import Fault
from tests.interference import Moment, dying_at

BY_HAND = "import_by_hand"
CLIENTS = [blocks.s3, totals.dynamodb, before.lambda_client]
TIMEOUT = timedelta(minutes=3)
BATCH_SECONDS = 50
"""So two batches fit an invocation of three minutes, with the reserve that it keeps."""
IN_THE_SECOND = 120
"""Seconds after which the second invocation is in its second batch."""

# The calls of the hand-made one: GetObject, UpdateItem, UpdateItem, Invoke; and of the durable one:
# HeadObject, PutItem, GetObject, GetObject, UpdateItem, GetObject, UpdateItem, …
BEFORE_HANDING_ON, AFTER_HANDING_ON = (3, "before"), (3, "after")
AFTER_ADDING = (6, "after")
LARGE = 400
"""Records of a ledger of some 40 batches."""
MALFORMED = ledger(57) + b"{}\n" + ledger(3)

Act = Callable[[Stage, Ledgers], object]


@contextmanager
def by_hand(timeout: timedelta = TIMEOUT, **world: Any) -> Iterator[tuple[Stage, Ledgers]]:
    """The hand-made function on stage, with batches that take their time."""
    with (
        on_stage(partial(ledger_world, **world), {}) as (stage, ledgers),
        slow(totals.dynamodb, "UpdateItem", BATCH_SECONDS),
    ):
        stage.simulation.add_function(BY_HAND, before.handler, timeout=timeout)
        yield stage, ledgers


@contextmanager
def reads() -> Iterator[list[int]]:
    """The bytes of each read from S3."""
    sizes: list[int] = []

    def note(parsed: Any, **_: Any) -> None:
        if parsed["ResponseMetadata"]["HTTPStatusCode"] < 300:
            sizes.append(parsed["ContentLength"])

    event = "after-call.s3.GetObject"
    blocks.s3.meta.events.register(event, note)
    try:
        yield sizes
    finally:
        blocks.s3.meta.events.unregister(event, note)


def told(world: Ledgers, records: int = RECORDS) -> str:
    """What the row says, against what the ledger comes to."""
    row = world.row or {"records": 0, "cents": 0}
    is_exact = (row["records"], row["cents"]) == (records, sum(map(cents_of, range(records))))
    counted = "exact" if is_exact else f"{row['records']} for {records} records"
    return counted if row.get("is_finished") else f"{counted}, not marked as finished"


def _by_hand(
    act: Act | None = None, moment: Moment | None = None, records: int = RECORDS, **world: Any
) -> str:
    """Send the event, let something happen, play to the end."""
    with ExitStack() as stack:
        died = stack.enter_context(dying_at(CLIENTS, moment) if moment else nullcontext([None]))
        stage, ledgers = stack.enter_context(by_hand(**world))
        stage.send(BY_HAND, WANTED)
        if act:
            act(stage, ledgers)
        stage.play()
    assert died
    letters = f", {stage.dead_letters} dead letter" if stage.dead_letters else ""
    return told(ledgers, records) + letters


def _durable(story: Scenario, moment: Moment | None = None, records: int = RECORDS) -> str:
    with dying_at(CLIENTS, moment) if moment else nullcontext([True]) as died:
        recording = dacapo.run(story)
    assert died
    why = f", fails: {recording.error.message}" if recording.error else ""
    return told(recording.world, records) + why


def _later(seconds: float, happen: Callable[[Ledgers], object]) -> Act:
    def act(stage: Stage, world: Ledgers) -> None:
        # On the clock: a handler that works lets time pass, and this happens in the midst of it.
        clock = stage.simulation.clock
        clock.schedule(timedelta(seconds=seconds), partial(happen, world), "a fault")

    return act


def _twice_by_hand() -> str:
    return _by_hand(lambda stage, _: stage.send(BY_HAND, WANTED))


def _twice_durable() -> str:
    functions: dict[str, Any] = {BEGIN: begin.handler, IMPORTER: handler}
    with on_stage(ledger_world, functions) as (stage, world):
        event = created(world.put(ledger()))
        stage.send(BEGIN, event)
        stage.send(BEGIN, event)
        stage.play()
        assert stage.calls_of(BEGIN) == 2
        assert len(stage.simulation.service.executions) == 1
    return told(world)


def _read(run: Callable[[], str]) -> str:
    with reads() as sizes:
        outcome = run()
    times = sum(sizes) / len(ledger())
    return f"{outcome}, reads {times:.1f} times the object, {_share(max(sizes))} of it at once"


def _share(size: int) -> str:
    return "all" if size == len(ledger()) else f"{size / len(ledger()):.0%}"


def _large_durable() -> str:
    world = partial(ledger_world, content=ledger(LARGE))
    return _durable(replace(stories.finishes, world=world), records=LARGE)


def _malformed_durable() -> str:
    world = partial(ledger_world, content=MALFORMED)
    return _durable(replace(stories.finishes, world=world))


def _story(name: str, act: Callable[[Ledgers], object]) -> Scenario:
    return replace(stories.finishes, happenings=(Happening(stories.IN_MID_RUN, name, act),))


FAULTS: Sequence[Fault] = [
    Fault("nothing", lambda: _read(_by_hand), lambda: _read(lambda: _durable(stories.finishes))),
    Fault(
        "the environment is lost in mid-run",
        lambda: _read(lambda: _by_hand(_later(IN_THE_SECOND, Ledgers.lose_cache))),
        lambda: _read(lambda: _durable(stories.cache_lost)),
    ),
    Fault(
        "it dies when a batch is added, before that is passed on or noted",
        lambda: _by_hand(moment=BEFORE_HANDING_ON),
        lambda: _durable(stories.finishes, AFTER_ADDING),
    ),
    Fault(
        "it dies just after it has handed on (durable: after a chunk)",
        lambda: _by_hand(moment=AFTER_HANDING_ON),
        lambda: _durable(stories.finishes, (10, "after")),
    ),
    Fault("S3's event is delivered twice", _twice_by_hand, _twice_durable),
    Fault(
        "the table throttles, longer than boto3 tries",
        lambda: _by_hand(_later(IN_THE_SECOND, Ledgers.throttle_table)),
        lambda: _durable(stories.table_throttles),
    ),
    Fault(
        "the object is replaced in mid-run",
        lambda: _by_hand(_later(IN_THE_SECOND, Ledgers.replace)),
        lambda: _durable(stories.replaced_in_mid_run),
    ),
    Fault(
        "a record in the last batch is malformed",
        lambda: _by_hand(content=MALFORMED),
        _malformed_durable,
    ),
    Fault(
        "it takes more than the 16 invocations that the guard against runaways allows",
        lambda: _by_hand(content=ledger(LARGE), records=LARGE),
        _large_durable,
    ),
]
