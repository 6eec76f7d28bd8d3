"""Scenarios of `batch_import`: a ledger in S3 is imported while it, S3, or the table misbehaves.

Run one with `dacapo run scenarios/batch_import.py:finishes`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial

from dacapo import ExternalEvent, Recording, Scenario
from patterns.batch_import import logic, start, totals
from patterns.batch_import.handler import handler
from scenarios.worlds.ledger import (
    BATCH_BYTES,
    BEGIN,
    BUCKET,
    KEY,
    WANTED,
    Ledgers,
    ledger,
    ledger_world,
)

MID_RUN = timedelta(seconds=0.5)
"""The first chunk is done, and the handler waits to start the second."""
AT_START = timedelta(0)
FOR_GOOD = 100


def _adds_up(recording: Recording, ledgers: Ledgers) -> None:
    """A total that is marked as finished is that of the file, and a success means that it is."""
    ledgers.refresh()
    for name, row in ledgers.rows.items():
        if row.get("is_finished"):
            cents = [json.loads(line)["cents"] for line in ledgers.contents[name].splitlines()]
            assert (row["records"], row["cents"]) == (len(cents), sum(cents)), "a wrong total"
    if recording.status == "SUCCEEDED":
        result = recording.result
        pinned = recording.operation("pin the object").result
        row = ledgers.rows[totals.import_id(BUCKET, KEY, pinned["etag"])]
        assert row.get("is_finished"), "the total isn't marked as finished"
        assert (row["records"], row["cents"]) == (result["records"], result["cents"])


def _scenario(
    *external_events: ExternalEvent,
    world: Callable[[], AbstractContextManager[Ledgers]] = ledger_world,
    expects: str | None = None,
) -> Scenario:
    return Scenario(
        handler=handler,
        event=WANTED,
        world=world,
        external_events=external_events,
        expects=expects,
        invariant=_adds_up,
        functions={BEGIN: start.handler},
    )


def _of(content: bytes, expects: str | None = None) -> Scenario:
    return _scenario(world=partial(ledger_world, content=content), expects=expects)


finishes = _scenario()
empty = _of(b"")
missing = _scenario(
    ExternalEvent(AT_START, "somebody deletes the ledger", Ledgers.delete), expects="StepError"
)
replaced_before = replace(
    _scenario(), event={**WANTED, "etag": "0123456789abcdef0123456789abcdef"}, expects="StepError"
)
# If an outage delays the start, it finds the ledger replaced, or deleted.
replaced_mid_run = replace(
    _scenario(
        ExternalEvent(MID_RUN, "somebody replaces the ledger", Ledgers.replace),
        expects="ChildContextError",
    ),
    outage_endings=["SUCCEEDED"],
)
deleted_mid_run = replace(
    _scenario(
        ExternalEvent(MID_RUN, "somebody deletes the ledger", Ledgers.delete),
        expects="ChildContextError",
    ),
    outage_endings=["StepError"],
)
malformed = _of(
    ledger(45) + b'{"account": "DE-1", "cents": "1250"}\n' + ledger(5), expects="ChildContextError"
)
too_large = _of(b" " * (logic.MAX_BATCHES * BATCH_BYTES + 1), expects="TooLarge")
invalid_import = replace(_scenario(), event={"bucket": "ledgers"}, expects="InvalidImport")
cache_lost = _scenario(ExternalEvent(MID_RUN, "the environment is lost", Ledgers.lose_cache))
no_tmp = _scenario(world=partial(ledger_world, has_tmp=False))
s3_throttles = _scenario(ExternalEvent(MID_RUN, "S3 throttles", Ledgers.throttle_s3))
s3_throttles_for_good = _scenario(
    ExternalEvent(MID_RUN, "S3 throttles", partial(Ledgers.throttle_s3, times=FOR_GOOD)),
    expects="ChildContextError",
)
table_throttles = _scenario(ExternalEvent(MID_RUN, "the table throttles", Ledgers.throttle_table))
started_before = _scenario(world=partial(ledger_world, started_with=BATCH_BYTES))
started_before_with_other_batch_size = _scenario(
    world=partial(ledger_world, started_with=2 * BATCH_BYTES), expects="StepError"
)
