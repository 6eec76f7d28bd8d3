"""All cases, by name; `dacapo verify tests.verify.corpus.registry:NAME` verifies one."""

from __future__ import annotations

from dataclasses import replace

from dacapo import Scenario
from dacapo.scenario.target import load
from tests.verify.corpus import (
    classics,
    closures,
    disk,
    effects,
    fakes,
    hashing,
    increments,
    memory,
    processes,
    queries,
    serializers,
    shapes,
    sources,
    surroundings,
)
from tests.verify.corpus.case import DIFFERS, HERE, ORDER, Case, bad, correct


def _laid_out(path: str, event: object) -> Scenario:
    return replace(load(f"{HERE}/layouts/{path}"), event=event)


_LAYOUTS = (
    bad(_laid_out("dispatch/app.py:dispatch", {"kilograms": 20}), "hash order", *ORDER),
    bad(
        _laid_out("tariff/app.py:tariff", {"usage": 120}),
        "clock or chance in the body",
        "randomness-outside-step",
        *DIFFERS,
    ),
    correct(_laid_out("tariff/app.py:tariff_recorded", {"usage": 120}), "recorded results"),
)

CASES: tuple[Case, ...] = (
    *closures.CASES,
    *memory.CASES,
    *processes.CASES,
    *disk.CASES,
    *hashing.CASES,
    *effects.CASES,
    *increments.CASES,
    *sources.CASES,
    *queries.CASES,
    *classics.CASES,
    *serializers.CASES,
    *surroundings.CASES,
    *shapes.CASES,
    *fakes.CASES,
    *_LAYOUTS,
)
"""Every case."""

BY_NAME = {case.name: case for case in CASES}
BAD = tuple(case for case in CASES if case.sort == "bad")
CORRECT = tuple(case for case in CASES if case.sort == "correct")
CONTROLS = tuple(case for case in CASES if case.sort == "control")

globals().update({name: case.scenario for name, case in BY_NAME.items()})
