"""`dacapo verify` and `durable.verify`: output, findings and exit status."""

from __future__ import annotations

import json

import pytest

from dacapo import Scenario
from dacapo.testing.fixture import Durable
from dacapo.verify.findings import ExperimentName
from dacapo.verify.verifier import verify
from gotchas import branch_on_chance
from tests.command_line import dacapo
from tests.lab import handlers

BROKEN = "gotchas/branch_on_chance.py:breaks"


def test_a_handler_that_does_not_survive_exits_with_1_and_prints_place_and_advice() -> None:
    result = dacapo("verify", BROKEN)
    assert result.returncode == 1
    for text in (
        *("proved: randomness-outside-step", "gotchas/branch_on_chance.py:", "random.choice()"),
        *("with other random values", "also", "different-operation"),
        *("rule", "Generate it in a step.", "dacapo explain randomness-outside-step"),
        *("does not survive replay: 1 proved, 0 suspected",),
    ):
        assert text in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_a_handler_that_survives_exits_with_0() -> None:
    result = dacapo("verify", "gotchas/branch_on_chance.py:holds", "--format", "json")
    assert result.returncode == 0, result.stdout
    printed = json.loads(result.stdout)
    assert (printed["target"], printed["findings"]) == ("gotchas/branch_on_chance.py:holds", [])
    assert set(printed["experiments"]) == set(ExperimentName)
    replayed = printed["experiments"][ExperimentName.REPLAYED]
    assert replayed["runs"] > 3
    assert replayed["not_run"] is None


def test_findings_are_printed_as_json_with_their_place() -> None:
    result = dacapo("verify", BROKEN, "--format", "json", "--only", ExperimentName.REPLAYED)
    (randomness,) = (
        f for f in json.loads(result.stdout)["findings"] if f["code"] == "randomness-outside-step"
    )
    assert randomness["certainty"] == "proved"
    assert randomness["file"] == branch_on_chance.__file__
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
    reasons = {name: experiment.not_run for name, experiment in report.experiments.items()}
    assert reasons[ExperimentName.REPLAYED] == "not asked for"
    assert reasons[ExperimentName.INTERLEAVINGS] == "the handler has no branches"
    assert reasons[ExperimentName.SUSPENDED] == reasons[ExperimentName.REFERENCE_RUN] == ""


def test_the_pytest_fixture_fails_a_test_with_the_finding(durable: Durable) -> None:
    with pytest.raises(pytest.fail.Exception, match="randomness-outside-step at gotchas"):
        durable.verify(branch_on_chance.breaks)
    durable.verify(branch_on_chance.holds)


@pytest.mark.parametrize("seed", range(5))
def test_a_map_survives_interleavings_of_its_branches(seed: int) -> None:
    for handler in (handlers.mapped, handlers.mapped_flat, handlers.mapped_with_failures):
        report = verify(Scenario(handler=handler, event=5), seed=seed, crashes=6)
        assert report.proved == []
        assert report.experiments[ExperimentName.INTERLEAVINGS].runs


def test_comparisons_that_were_skipped_are_reported_with_their_reason() -> None:
    scenario = Scenario(handler=handlers.any_two, event=6)
    report = verify(scenario, only=[ExperimentName.INTERLEAVINGS])
    result = report.experiments[ExperimentName.INTERLEAVINGS]
    (reason,) = result.skipped
    assert reason.startswith("a batch ended early with other branches")
    assert 0 < result.skipped[reason] <= result.runs
