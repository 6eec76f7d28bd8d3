"""An import by a function that invokes itself, and a durable one, under the same faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import dacapo
from baselines import batch_import as baseline
from dacapo import ExternalEvent, Scenario
from patterns.batch_import import blocks, start, totals
from patterns.batch_import.handler import handler
from scenarios import batch_import as scenarios
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
from tests.baselines.fault import Fault
from tests.interference import Moment, crash_at

BASELINE = "import_baseline"
CLIENTS = [blocks.s3, totals.dynamodb, baseline.lambda_client]
TIMEOUT = timedelta(minutes=3)
BATCH_SECONDS = 50
"""Two batches then fit into a three-minute invocation and leave the reserve that it needs."""
IN_THE_SECOND = 120
"""Seconds until the second invocation is in its second batch."""

# The baseline calls GetObject, UpdateItem, UpdateItem, Invoke. The durable function calls
# HeadObject, PutItem, GetObject, GetObject, UpdateItem, GetObject, UpdateItem, …
BEFORE_SELF_INVOKE, AFTER_SELF_INVOKE = (3, "before"), (3, "after")
AFTER_ADDING = (6, "after")
LARGE = 400
"""Records in a ledger of about 40 batches."""
MALFORMED = ledger(57) + b"{}\n" + ledger(3)

Act = Callable[[Stage, Ledgers], object]


@contextmanager
def baseline_system(timeout: timedelta = TIMEOUT, **world: Any) -> Iterator[tuple[Stage, Ledgers]]:
    """Context manager that stages the baseline, with slow batches.

    Parameters:
        timeout: of the function.
        world: options of `ledger_world`.
    """
    with (
        on_stage(partial(ledger_world, **world), {}) as (stage, ledgers),
        slow(totals.dynamodb, "UpdateItem", BATCH_SECONDS),
    ):
        stage.simulation.add_function(BASELINE, baseline.handler, timeout=timeout)
        yield stage, ledgers


@contextmanager
def reads() -> Iterator[list[int]]:
    """Context manager that collects the size of each S3 read, in bytes."""
    sizes: list[int] = []

    def record(parsed: Any, **_: Any) -> None:
        if parsed["ResponseMetadata"]["HTTPStatusCode"] < 300:
            sizes.append(parsed["ContentLength"])

    event = "after-call.s3.GetObject"
    blocks.s3.meta.events.register(event, record)
    try:
        yield sizes
    finally:
        blocks.s3.meta.events.unregister(event, record)


def total(world: Ledgers, records: int = RECORDS) -> str:
    """Return how the total in the table compares with the ledger, in words."""
    row = world.row or {"records": 0, "cents": 0}
    is_exact = (row["records"], row["cents"]) == (records, sum(map(cents_of, range(records))))
    result = "exact" if is_exact else f"{row['records']} records instead of {records}"
    return result if row.get("is_finished") else f"{result}, not marked as finished"


def _baseline(
    act: Act | None = None, moment: Moment | None = None, records: int = RECORDS, **world: Any
) -> str:
    """Send the event, inject a fault, and run until nothing is left to do."""
    with ExitStack() as stack:
        deaths = stack.enter_context(crash_at(CLIENTS, moment) if moment else nullcontext([None]))
        stage, ledgers = stack.enter_context(baseline_system(**world))
        stage.send(BASELINE, WANTED)
        if act:
            act(stage, ledgers)
        stage.play()
    assert deaths
    letters = f", {stage.dead_letters} dead letter" if stage.dead_letters else ""
    return total(ledgers, records) + letters


def _durable(scenario: Scenario, moment: Moment | None = None, records: int = RECORDS) -> str:
    with crash_at(CLIENTS, moment) if moment else nullcontext([True]) as deaths:
        recording = dacapo.run(scenario)
    assert deaths
    failure = f", fails: {recording.error.message}" if recording.error else ""
    return total(recording.world, records) + failure


def _later(seconds: float, fault: Callable[[Ledgers], object]) -> Act:
    def act(stage: Stage, world: Ledgers) -> None:
        # On the clock: working handlers let time pass, so the fault occurs while one is running.
        clock = stage.simulation.clock
        clock.schedule(timedelta(seconds=seconds), partial(fault, world), "a fault")

    return act


def _twice_baseline() -> str:
    return _baseline(lambda stage, _: stage.send(BASELINE, WANTED))


def _twice_durable() -> str:
    functions: dict[str, Any] = {BEGIN: start.handler, IMPORTER: handler}
    with on_stage(ledger_world, functions) as (stage, world):
        event = created(world.put(ledger()))
        stage.send(BEGIN, event)
        stage.send(BEGIN, event)
        stage.play()
        assert stage.calls_of(BEGIN) == 2
        assert len(stage.simulation.service.executions) == 1
    return total(world)


def _read(run: Callable[[], str]) -> str:
    with reads() as sizes:
        outcome = run()
    times = sum(sizes) / len(ledger())
    return f"{outcome}; reads the object {times:.1f} times, {_share(max(sizes))} at once"


def _share(size: int) -> str:
    return "all" if size == len(ledger()) else f"at most {size / len(ledger()):.0%}"


def _large_durable() -> str:
    world = partial(ledger_world, content=ledger(LARGE))
    return _durable(replace(scenarios.finishes, world=world), records=LARGE)


def _malformed_durable() -> str:
    world = partial(ledger_world, content=MALFORMED)
    return _durable(replace(scenarios.finishes, world=world))


def _scenario(name: str, act: Callable[[Ledgers], object]) -> Scenario:
    return replace(
        scenarios.finishes, external_events=(ExternalEvent(scenarios.MID_RUN, name, act),)
    )


FAULTS: Sequence[Fault] = [
    Fault("none", lambda: _read(_baseline), lambda: _read(lambda: _durable(scenarios.finishes))),
    Fault(
        "the execution environment is recycled mid-run",
        lambda: _read(lambda: _baseline(_later(IN_THE_SECOND, Ledgers.lose_cache))),
        lambda: _read(lambda: _durable(scenarios.cache_lost)),
    ),
    Fault(
        "it crashes after adding a batch, before invoking itself (durable: before the checkpoint)",
        lambda: _baseline(moment=BEFORE_SELF_INVOKE),
        lambda: _durable(scenarios.finishes, AFTER_ADDING),
    ),
    Fault(
        "it crashes right after invoking itself (durable: after a chunk)",
        lambda: _baseline(moment=AFTER_SELF_INVOKE),
        lambda: _durable(scenarios.finishes, (10, "after")),
    ),
    Fault("the S3 event is delivered twice", _twice_baseline, _twice_durable),
    Fault(
        "the table throttles for longer than boto3 retries",
        lambda: _baseline(_later(IN_THE_SECOND, Ledgers.throttle_table)),
        lambda: _durable(scenarios.table_throttles),
    ),
    Fault(
        "the object is replaced mid-run",
        lambda: _baseline(_later(IN_THE_SECOND, Ledgers.replace)),
        lambda: _durable(scenarios.replaced_mid_run),
    ),
    Fault(
        "a record in the last batch is malformed",
        lambda: _baseline(content=MALFORMED),
        _malformed_durable,
    ),
    Fault(
        "the import needs more than the 16 invocations that its runaway guard allows",
        lambda: _baseline(content=ledger(LARGE), records=LARGE),
        _large_durable,
    ),
]
