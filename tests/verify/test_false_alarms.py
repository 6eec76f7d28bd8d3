"""Nothing is proved against a handler that is correct, however suspicious it looks.

Each one is verified with ten seeds if it draws or branches, or if `make prove` asks. What makes it
suspicious is shown to happen: a handler of which nothing is replayed, or a retry that always pauses
as long, would prove nothing about the verifier.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws

from dacapo import Recording, Scenario, run
from dacapo.history import details_of
from dacapo.verify.causes import gathered
from dacapo.verify.experiments import (
    CRASHED,
    DEFAULT_SHUFFLES,
    EXPERIMENTS,
    MOVED,
    REWOUND,
    SHUFFLED,
    Experiments,
)
from dacapo.verify.findings import SUSPECTED, Code, Finding
from dacapo.verify.interferences import CrashAt, UpdateLog, crash_points
from dacapo.verify.observed import Observed, observe
from dacapo.verify.points import DEFAULT_POINTS
from dacapo.verify.report import Experiment, Report
from dacapo.verify.verifier import verify
from tests.verify import suspicious, suspicious_contexts, suspicious_effects

SEEDS, FEW_SEEDS = range(10), range(1)
"""The few are for those of which nothing depends on the seed; `--thorough` gives them all."""
CRASHES, FEW_CRASHES = 8, 3


def by_name(*scenarios: Scenario) -> dict[str, Scenario]:
    return {scenario.name or scenario.function: scenario for scenario in scenarios}


EFFECTS = by_name(*suspicious_effects.SCENARIOS)
PLAIN = by_name(*suspicious.SCENARIOS, *suspicious_contexts.SCENARIOS)
ALL = PLAIN | EFFECTS
MOVED_TOO = {*by_name(*suspicious.SCENARIOS), *suspicious_contexts.BRANCHES}
"""What another process, hour or chance might change. No step runs there, so no effect is made."""

EXPECTED = {
    "logs_the_time": [Code.CLOCK_OUTSIDE_STEP],
    "prints_how_long_it_took": [Code.CLOCK_OUTSIDE_STEP] * 2,
}
"""What is suspected, and rightly: these read the clock outside every step."""


@pytest.fixture(scope="module", autouse=True)
def quick_and_quiet() -> Iterator[None]:
    """What each of a thousand worlds would put up again is put up once; crashes are not logged."""
    logging.disable(logging.CRITICAL)
    with mock_aws():
        yield
    logging.disable(logging.NOTSET)


def verified(name: str, seed: int, crashes: int) -> Report:
    left_out = set() if seed == 0 and name in MOVED_TOO else {MOVED}
    if seed > 0 and not differs_by_seed(name):
        left_out |= {CRASHED}
    only = {*EXPERIMENTS} - left_out
    return unguarded(Experiments(ALL[name], seed, DEFAULT_SHUFFLES, crashes, DEFAULT_POINTS, only))


def unguarded(experiments: Experiments) -> Report:
    """What `verify` does, without a process of its own for each of hundreds of calls."""
    done: dict[str, Experiment] = {}
    found: list[Finding] = []

    def hear(told: Any) -> None:
        if not isinstance(told, str):
            name, done[name], findings = told
            found.extend(findings)

    experiments.run(hear)
    return Report("", done, gathered(found))


def differs_by_seed(name: str) -> bool:
    """Whether it draws or branches; if not, it is crashed at the same points with every seed."""
    return name in (*DIFFERS, *suspicious_contexts.BRANCHES, "branches_that_write")


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_proved_against_a_correct_handler(name: str, thorough: bool) -> None:
    for seed in SEEDS if thorough or differs_by_seed(name) else FEW_SEEDS:
        is_first = seed == 0 and (thorough or name in EFFECTS)
        report = verified(name, seed, CRASHES if is_first else FEW_CRASHES)
        assert [(seed, f.code, f.experiment, f.message) for f in report.proved] == []
        suspected = [f.code for f in report.findings if f.certainty == SUSPECTED]
        assert suspected == EXPECTED.get(name, [])
        runs = {of: experiment.runs for of, experiment in report.experiments.items()}
        assert runs[REWOUND] > 2
        assert runs[CRASHED] > 1 or (seed > 0 and not differs_by_seed(name))
        assert bool(runs[MOVED]) == (seed == 0 and name in MOVED_TOO)


@pytest.mark.parametrize("name", ALL)
def test_the_body_of_a_suspicious_handler_runs_more_than_once_and_succeeds(name: str) -> None:
    recording = run(ALL[name])
    assert (recording.status, recording.error) == ("SUCCEEDED", None)
    assert len(recording.invocations) > 1
    assert recording.operations


def pauses(recording: Recording) -> tuple[int, ...]:
    """How long it waited and paused, in seconds."""
    details = [details_of(event) for event in recording.events]
    after_tries = [(d.get("RetryDetails") or {}).get("NextAttemptDelaySeconds") for d in details]
    return tuple(p for p in (*after_tries, *(d.get("Duration") for d in details)) if p)


def result_of(recording: Recording) -> str:
    return str(recording.result)


DIFFERS: dict[str, Callable[[Recording], object]] = {
    "jittered_retry": pauses,
    "jittered_poll": pauses,
    "jittered_block": pauses,
    "branches_that_try_again": pauses,
    "tries_after_an_effect": pauses,
    "draws_in_steps": result_of,
    "slow_steps": result_of,
}
"""What chance makes another one with another seed."""


@pytest.mark.parametrize("name", DIFFERS)
def test_what_comes_of_chance_really_differs(name: str) -> None:
    assert len({DIFFERS[name](run(ALL[name], seed=seed)) for seed in SEEDS}) > 2


def test_a_batch_of_branches_is_shuffled() -> None:
    for name in (*suspicious_contexts.BRANCHES, "branches_that_write"):
        report = verify(ALL[name], shuffles=1, only=[SHUFFLED])
        assert report.experiments[SHUFFLED].runs == 1


def crashed(scenario: Scenario) -> list[Observed]:
    """The scenario, crashed at the points at which `verify` does it."""
    updates = UpdateLog()
    observe(scenario, 0, updates)
    points = crash_points(updates.keys, CRASHES)
    return [observe(scenario, 0, CrashAt(key, when)) for key, when in points]


@pytest.mark.parametrize("name", [n for n in EFFECTS if n != "paid_or_unclear"])
def test_a_crash_makes_a_step_with_an_effect_run_again(name: str) -> None:
    again = [max(one.effects.bodies.values()) for one in crashed(EFFECTS[name])]
    as_scheduled = max(observe(EFFECTS[name], 0).effects.bodies.values())
    assert max(again) > as_scheduled


def test_a_payment_that_may_be_made_once_is_paid_or_unclear() -> None:
    observed = crashed(EFFECTS["paid_or_unclear"])
    results = {one.recording.result for one in observed}
    assert results == {"paid", "unclear: StepInterruptedError"}
    sent = {[d.effect.what for d in one.effects.done].count("sqs:SendMessage") for one in observed}
    assert max(sent) == 1


ENDINGS: dict[str, Any] = {
    "who answers": "yes",
    "who refuses": "refused: no time",
    "who falls silent": "nobody: Callback timed out on heartbeat",
    "who thinks": "yes",
    "first_of_many": [1],
    "tolerant_map": "1 of 2",
    "intolerant_map": "too many",
    "race": ["answered yes"],
    "compensates": ["flight", "hotel"],
    "error_by_its_name": "none: no car is left",
    "asks_another_function": "4: 4 is too much",
    "finally_that_tidies": "waiting, then over",
    "types_that_last": ["datetime", "Decimal", "tuple", "tuple"],
}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_suspicious_handler_goes_the_way_that_its_name_says(name: str) -> None:
    assert run(ALL[name]).result == ENDINGS[name]


def test_a_result_that_is_too_big_is_made_again() -> None:
    context = run(ALL["big_child"]).operation("big child").stored.context_details
    assert context is not None
    assert context.replay_children
