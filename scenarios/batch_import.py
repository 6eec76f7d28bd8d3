"""A ledger in S3 that is imported batch by batch, while it, S3 or the table misbehaves.

Run one with `dacapo run scenarios/batch_import.py:finishes`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial

from dacapo import Happening, Scenario
from patterns.batch_import import begin, logic
from patterns.batch_import.handler import handler
from scenarios.worlds.ledger import BATCH_BYTES, BEGIN, WANTED, Ledgers, ledger, ledger_world

IN_MID_RUN = timedelta(seconds=0.5)
"""When the first chunk is done, and the second is waited for."""
AT_START = timedelta(0)
FOR_GOOD = 100


def _story(
    *happenings: Happening,
    world: Callable[[], AbstractContextManager[Ledgers]] = ledger_world,
) -> Scenario:
    return Scenario(
        handler=handler,
        event=WANTED,
        world=world,
        happenings=happenings,
        functions={BEGIN: begin.handler},
    )


def _of(content: bytes) -> Scenario:
    return _story(world=partial(ledger_world, content=content))


finishes = _story()
empty = _of(b"")
missing = _story(Happening(AT_START, "somebody deletes the ledger", Ledgers.delete))
replaced_before = replace(_story(), event={**WANTED, "etag": "0123456789abcdef0123456789abcdef"})
replaced_in_mid_run = _story(Happening(IN_MID_RUN, "somebody replaces the ledger", Ledgers.replace))
deleted_in_mid_run = _story(Happening(IN_MID_RUN, "somebody deletes the ledger", Ledgers.delete))
malformed = _of(ledger(45) + b'{"account": "DE-1", "cents": "1250"}\n' + ledger(5))
too_large = _of(b" " * (logic.MOST_BATCHES * BATCH_BYTES + 1))
no_import = replace(_story(), event={"bucket": "ledgers"})
cache_lost = _story(Happening(IN_MID_RUN, "the environment is gone", Ledgers.lose_cache))
no_tmp = _story(world=partial(ledger_world, has_tmp=False))
s3_throttles = _story(Happening(IN_MID_RUN, "S3 throttles", Ledgers.throttle_s3))
s3_throttles_for_good = _story(
    Happening(IN_MID_RUN, "S3 throttles", partial(Ledgers.throttle_s3, times=FOR_GOOD))
)
table_throttles = _story(Happening(IN_MID_RUN, "the table throttles", Ledgers.throttle_table))
begun_before = _story(world=partial(ledger_world, begun_in=BATCH_BYTES))
begun_before_in_other_batches = _story(world=partial(ledger_world, begun_in=2 * BATCH_BYTES))
