"""No false alarms: the verifier proves nothing against a correct handler, however suspicious.

`make test` verifies each handler with one seed, `make prove` with two. Other tests check that the
suspicious part really happens: a handler that is never replayed, or a random delay that is always
the same, would show nothing about the verifier.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws

from dacapo import Recording, Scenario, run
from dacapo.verify import verifier
from dacapo.verify.experiments.crashes import CrashAt, crash_points
from dacapo.verify.findings import Certainty, Code, ExperimentName, Report
from dacapo.verify.observe.course import CheckpointLog
from dacapo.verify.observe.run import Observed, observe
from dacapo.verify.verifier import verify
from tests.verify import suspicious, suspicious_contexts, suspicious_effects

SEEDS, FEW_SEEDS, ONE_SEED = range(10), range(2), range(1)
"""To verify, `make prove` uses a few of them, `make test` one."""
CRASHES, FEW_CRASHES = 8, 3


def by_name(*scenarios: Scenario) -> dict[str, Scenario]:
    return {scenario.name or scenario.function: scenario for scenario in scenarios}


EFFECTS = by_name(*suspicious_effects.SCENARIOS)
PLAIN = by_name(*suspicious.SCENARIOS, *suspicious_contexts.SCENARIOS)
ALL = PLAIN | EFFECTS
IN_COLD = [*by_name(*suspicious.SCENARIOS), *suspicious_contexts.BRANCHES]
"""Handlers that other processes might affect; `make prove` has every eighth verified in them."""

EXPECTED = {
    "logs_the_time": [Code.CLOCK_OUTSIDE_STEP],
    "prints_how_long_it_took": [Code.CLOCK_OUTSIDE_STEP] * 2,
}
"""Suspicions that are justified: these handlers read the clock outside every step."""


@pytest.fixture(scope="module", autouse=True)
def quick_and_quiet() -> Iterator[None]:
    """Start moto once instead of once per run, and do not log crashes."""
    logging.disable(logging.CRITICAL)
    with mock_aws():
        yield
    logging.disable(logging.NOTSET)


def verified(name: str, seed: int, crashes: int, *, in_cold: bool) -> Report:
    skipped = set() if in_cold else {ExperimentName.COLD}
    if seed > 0 and not differs_by_seed(name):
        skipped |= {ExperimentName.CRASHED}
    only = [experiment for experiment in verifier.ALL if experiment not in skipped]
    return verify(ALL[name], seed=seed, crashes=crashes, only=only)


def differs_by_seed(name: str) -> bool:
    """Return whether a handler has randomness or branches; if not, one seed is enough."""
    return name in (*DIFFERS, *suspicious_contexts.BRANCHES, "branches_that_write")


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_proved_against_a_correct_handler(name: str, thorough: bool) -> None:
    for seed in FEW_SEEDS if thorough else ONE_SEED:
        is_first = seed == 0 and (thorough or name in EFFECTS)
        in_cold = thorough and seed == 0 and name in IN_COLD[::8]
        report = verified(name, seed, CRASHES if is_first else FEW_CRASHES, in_cold=in_cold)
        assert [(seed, f.code, f.experiment, f.message) for f in report.proved] == []
        suspected = [f.code for f in report.findings if f.certainty == Certainty.SUSPECTED]
        assert suspected == EXPECTED.get(name, [])
        runs = {of: experiment.runs for of, experiment in report.experiments.items()}
        assert runs[ExperimentName.REPLAYED] > 2
        assert runs[ExperimentName.CRASHED] > 1 or (seed > 0 and not differs_by_seed(name))
        assert bool(runs[ExperimentName.COLD]) == in_cold


@pytest.mark.parametrize("name", ALL)
def test_a_suspicious_handler_is_replayed_and_succeeds(name: str) -> None:
    recording = run(ALL[name])
    assert (recording.status, recording.error) == ("SUCCEEDED", None)
    assert len(recording.invocations) > 1
    assert recording.operations


def delays(recording: Recording) -> tuple[int, ...]:
    """Return the retry delays, then the wait durations, in seconds."""
    details = [event.details for event in recording.events]
    retries = [(d.get("RetryDetails") or {}).get("NextAttemptDelaySeconds") for d in details]
    return tuple(p for p in (*retries, *(d.get("Duration") for d in details)) if p)


def result_of(recording: Recording) -> str:
    return str(recording.result)


DIFFERS: dict[str, Callable[[Recording], object]] = {
    "jittered_retry": delays,
    "jittered_poll": delays,
    "jittered_block": delays,
    "branches_that_retry": delays,
    "retries_after_an_effect": delays,
    "draws_in_steps": result_of,
    "slow_steps": result_of,
}
"""What depends on the seed, per handler."""


@pytest.mark.parametrize("name", DIFFERS)
def test_what_is_random_differs_by_seed(name: str) -> None:
    assert len({DIFFERS[name](run(ALL[name], seed=seed)) for seed in SEEDS}) > 2


@pytest.mark.prove
def test_handlers_with_branches_are_interleaved() -> None:
    for name in (*suspicious_contexts.BRANCHES, "branches_that_write"):
        report = verify(ALL[name], interleavings=1, only=[ExperimentName.INTERLEAVINGS])
        assert report.experiments[ExperimentName.INTERLEAVINGS].runs == 1


def crashed(scenario: Scenario) -> list[Observed]:
    """Run the scenario once per crash point that `verify` would use."""
    updates = CheckpointLog()
    observe(scenario, 0, updates)
    points = crash_points(updates.keys, CRASHES)
    return [observe(scenario, 0, CrashAt(key, when)) for key, when in points]


@pytest.mark.parametrize("name", [n for n in EFFECTS if n != "paid_or_unclear"])
def test_a_crash_reruns_a_step_with_a_side_effect(name: str) -> None:
    again = [max(one.seen.bodies.values()) for one in crashed(EFFECTS[name])]
    without_crash = max(observe(EFFECTS[name], 0).seen.bodies.values())
    assert max(again) > without_crash


def test_an_at_most_once_payment_is_either_sent_once_or_reported_as_unclear() -> None:
    observed = crashed(EFFECTS["paid_or_unclear"])
    results = {one.recording.result for one in observed}
    assert results == {"paid", "unclear: StepInterruptedError"}
    sent = {[d.effect.what for d in one.seen.effects].count("sqs:SendMessage") for one in observed}
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
    "invokes_another_function": "4: 4 is too much",
    "finally_that_tidies": "waiting, then over",
    "types_that_survive_serdes": ["datetime", "Decimal", "tuple", "tuple"],
}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_suspicious_handler_takes_the_path_under_test(name: str) -> None:
    assert run(ALL[name]).result == ENDINGS[name]


def test_a_result_that_is_too_large_is_recomputed_on_replay() -> None:
    context = run(ALL["big_child"]).operation("big child").stored.context_details
    assert context is not None
    assert context.replay_children
