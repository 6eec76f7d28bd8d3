"""`dacapo verify` and `durable.verify`: output, findings and exit status."""

from __future__ import annotations

import json

import pytest

from dacapo import Scenario
from dacapo.testing.fixture import Durable
from dacapo.verify.findings import Certainty, ExperimentName, ExperimentState
from dacapo.verify.verifier import verify
from gotchas import branch_on_chance
from tests.command_line import dacapo
from tests.depth import every
from tests.lab import handlers
from tests.verify.quick import QUICK

BROKEN = "gotchas/branch_on_chance.py:breaks"


@pytest.mark.prove
def test_a_handler_that_does_not_survive_exits_with_1_and_prints_place_and_advice() -> None:
    result = dacapo("verify", BROKEN, "--skip", "cold")
    assert result.returncode == 1
    for text in (
        *("proved: randomness-outside-step", "gotchas/branch_on_chance.py:", "random.choice()"),
        *("with other random values", "also", "different-operation"),
        *("rule", "Generate it in a step.", "dacapo explain randomness-outside-step"),
        *("breaks breaks: 1 proved, 0 suspected, 1 lint",),
    ):
        assert text in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.prove
def test_a_handler_that_survives_exits_with_0() -> None:
    result = dacapo("verify", "gotchas/branch_on_chance.py:holds", "--format", "json")
    assert result.returncode == 0, result.stdout
    printed = json.loads(result.stdout)
    assert printed["target"] == "gotchas/branch_on_chance.py:holds"
    assert {finding["kind"] for finding in printed["findings"]} <= {Certainty.LINT}
    assert set(printed["experiments"]) == set(ExperimentName)
    replayed = printed["experiments"][ExperimentName.REPLAYED]
    assert replayed["runs"] > 3
    assert (replayed["state"], replayed["reason"]) == ("made", None)


@pytest.mark.prove
def test_findings_are_printed_as_json_with_their_place() -> None:
    result = dacapo("verify", BROKEN, "--format", "json", "--only", ExperimentName.REPLAYED)
    (randomness,) = (
        f for f in json.loads(result.stdout)["findings"] if f["code"] == "randomness-outside-step"
    )
    assert randomness["kind"] == "proved"
    assert randomness["file"] == "gotchas/branch_on_chance.py"
    assert isinstance(randomness["line"], int)
    assert randomness["more"] == "dacapo explain randomness-outside-step"


@pytest.mark.parametrize("option", ["--only", "--skip"])
def test_an_unknown_experiment_is_a_usage_error(option: str) -> None:
    result = dacapo("verify", BROKEN, option, "hypnotised")
    assert result.returncode == 2
    assert "there is no experiment 'hypnotised'; there are: 'reference run'" in result.stderr


def test_the_report_gives_the_reason_for_each_experiment_that_did_not_run() -> None:
    report = verify(
        Scenario(handler=handlers.waits, event=2),
        only=[ExperimentName.SUSPENDED, ExperimentName.INTERLEAVINGS],
    )
    left = {name: (result.state, result.reason) for name, result in report.experiments.items()}
    no_branches = (ExperimentState.NOT_APPLICABLE, "the handler has no branches")
    assert left[ExperimentName.REPLAYED] == (ExperimentState.LEFT_OUT, "not asked for")
    assert left[ExperimentName.INTERLEAVINGS] == no_branches
    assert left[ExperimentName.SUSPENDED] == left[ExperimentName.REFERENCE_RUN]
    assert left[ExperimentName.SUSPENDED] == (ExperimentState.RAN, "")


@pytest.mark.prove
def test_the_pytest_fixture_fails_a_test_with_the_finding(durable: Durable) -> None:
    with pytest.raises(pytest.fail.Exception, match="randomness-outside-step at gotchas"):
        durable.verify(branch_on_chance.breaks, only=QUICK)
    durable.verify(branch_on_chance.holds, only=QUICK)


@pytest.mark.prove
@pytest.mark.parametrize("seed", every(5, range(5)))
def test_a_map_survives_interleavings_of_its_branches(seed: int) -> None:
    for handler in (handlers.mapped, handlers.mapped_flat, handlers.mapped_with_failures):
        report = verify(Scenario(handler=handler, event=5), seed=seed, crashes=6, only=QUICK)
        assert report.proved == []
        assert report.experiments[ExperimentName.INTERLEAVINGS].runs


def test_comparisons_that_were_skipped_are_reported_with_their_reason() -> None:
    scenario = Scenario(handler=handlers.any_two, event=6)
    report = verify(scenario, only=[ExperimentName.INTERLEAVINGS])
    result = report.experiments[ExperimentName.INTERLEAVINGS]
    (reason,) = result.skipped
    assert reason.startswith("a batch ended early with other branches")
    assert 0 < result.skipped[reason] <= result.runs
