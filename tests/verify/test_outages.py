"""The experiment *outages*: services are out for a while, from each operation on."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution

from dacapo import (
    ExternalEvent,
    Finding,
    OutageKind,
    Report,
    Scenario,
    ScenarioError,
    outage,
    run,
    verify,
)
from dacapo.verify.findings import Certainty, Code, ExperimentState, OutageOutcome, OutageResult
from tests.command_line import assert_usage_error, dacapo
from tests.verify import frail

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HALF_AN_HOUR = 30 * MINUTE


def of(scenario: Scenario, lengths: bool | Sequence[timedelta] = True, **more: Any) -> Report:
    return verify(scenario, only=["outages"], outages=lengths, **more)


def outcomes(report: Report) -> list[OutageOutcome]:
    return report.experiments["outages"].outages


def results(report: Report) -> dict[tuple[str, str, timedelta], OutageResult]:
    return {(o.service, o.operation, o.lasts): o.result for o in outcomes(report)}


def only_finding(report: Report, code: Code = Code.OUTAGE_NOT_SURVIVED) -> Finding:
    (finding,) = [one for one in report.findings if one.certainty is not Certainty.LINT]
    assert (finding.code, finding.certainty) == (code, Certainty.PROVED)
    return finding


@pytest.fixture(scope="module")
def impatient() -> Report:
    return of(frail.impatient)


@pytest.mark.prove
def test_a_step_that_gives_up_after_a_minute_is_found_with_its_line(impatient: Report) -> None:
    finding = only_finding(impatient)
    assert finding.place is not None
    assert Path(finding.place.file).name == "frail.py"
    assert finding.place.line == frail.line_of("gives up")
    assert impatient.verdict == "breaks"


def test_the_finding_says_what_was_out_for_how_long_from_where_and_what_came_of_it(
    impatient: Report,
) -> None:
    message = only_finding(impatient).message
    assert message.startswith("outages: in ")
    assert "with dynamodb out for 30 min" in message
    assert "from 'ship' on, it ends with FAILED, " in message
    assert 'the reference run, with SUCCEEDED, "shipped"' in message
    assert "To repeat it, add outage(" in message


def test_the_finding_can_be_repeated_by_the_event_that_it_names(impatient: Report) -> None:
    written = only_finding(impatient).message.partition("To repeat it, add ")[2]
    source = written.removesuffix(" to external_events")
    event = eval(source, {"outage": outage, "timedelta": timedelta})
    recording = run(frail.scenario(frail.gives_up, external_events=[event]))
    assert recording.status == "FAILED"
    assert len(recording.failed_calls) >= 2


@pytest.mark.prove
def test_one_line_that_ends_in_one_way_is_one_finding_however_many_runs_show_it(
    impatient: Report,
) -> None:
    bad = [one for one in outcomes(impatient) if one.result == OutageResult.DIFFERENT]
    assert len(bad) == 1
    report = of(frail.impatient, [3 * MINUTE, HALF_AN_HOUR, HOUR, 2 * HOUR])
    bad = [one for one in outcomes(report) if one.result == OutageResult.DIFFERENT]
    assert len({one.kind for one in bad}) > 1
    assert len(bad) == 4
    tried = report.experiments["outages"].runs
    assert f"in {len(bad)} of {tried} runs" in only_finding(report).message


def test_each_outcome_says_what_happened_in_each_run(impatient: Report) -> None:
    assert results(impatient) == {
        ("dynamodb", "store", MINUTE): "later",
        ("dynamodb", "store", HALF_AN_HOUR): "later",
        ("dynamodb", "pack", MINUTE): "not hit",
        ("dynamodb", "pack", HALF_AN_HOUR): "not hit",
        ("dynamodb", "ship", MINUTE): "later",
        ("dynamodb", "ship", HALF_AN_HOUR): "different",
        ("dynamodb", "announce", MINUTE): "not hit",
        ("dynamodb", "announce", HALF_AN_HOUR): "not hit",
        ("sqs", "store", MINUTE): "not hit",
        ("sqs", "store", HALF_AN_HOUR): "not hit",
        ("sqs", "ship", MINUTE): "later",
        ("sqs", "ship", HALF_AN_HOUR): "later",
    }
    by_result = {one.result: one for one in outcomes(impatient)}
    assert by_result[OutageResult.LATER].failed > 0
    assert by_result[OutageResult.NOT_HIT].failed == 0
    assert impatient.experiments["outages"].runs == 6


def test_a_run_that_is_only_later_says_by_how_much(impatient: Report) -> None:
    delays = {
        (o.service, o.operation, o.lasts): o.delay
        for o in outcomes(impatient)
        if o.result == "later"
    }
    assert delays["dynamodb", "store", MINUTE] == MINUTE
    longer = delays["sqs", "ship", HALF_AN_HOUR]
    assert longer is not None
    assert HALF_AN_HOUR <= longer < HALF_AN_HOUR + 11 * MINUTE


def test_every_way_to_fail_has_its_turn(impatient: Report) -> None:
    kinds = Counter(one.kind for one in outcomes(impatient) if one.failed)
    assert set(kinds) == set(OutageKind)


@pytest.mark.prove
def test_a_handler_that_retries_for_hours_survives_five_hours_in_no_real_time() -> None:
    began = time.perf_counter()
    report = of(frail.patient, [MINUTE, HALF_AN_HOUR, 5 * HOUR])
    assert report.proved == []
    hit = [one for one in outcomes(report) if one.result != "not hit"]
    assert {one.result for one in hit} == {OutageResult.LATER}
    assert max(one.failed for one in hit) > 30
    assert max(one.delay or MINUTE for one in hit) >= 5 * HOUR
    assert time.perf_counter() - began < 60


@pytest.mark.prove
def test_an_ending_that_the_scenario_allows_is_not_a_finding() -> None:
    report = of(frail.scenario(frail.gives_up, outage_endings=["StepError"]))
    assert report.proved == []
    assert Counter(results(report).values())[OutageResult.ALLOWED] == 1


@pytest.mark.prove
def test_another_result_is_found_at_the_step_that_fails_unless_it_is_allowed() -> None:
    finding = only_finding(of(frail.scenario(frail.compensates), [HALF_AN_HOUR]))
    assert finding.place is not None
    assert finding.place.line == frail.line_of("compensates")
    assert 'it ends with SUCCEEDED, "canceled"; the reference run' in finding.message
    allowed = frail.scenario(frail.compensates, outage_endings=["SUCCEEDED"])
    assert of(allowed, [HALF_AN_HOUR]).proved == []


def test_an_allowed_ending_that_breaks_the_invariant_is_found() -> None:
    scenario = frail.scenario(
        frail.compensates, outage_endings=["SUCCEEDED"], invariant=frail.is_shipped
    )
    report = of(scenario, [HALF_AN_HOUR])
    finding = only_finding(report, Code.INVARIANT_BROKEN)
    assert "dynamodb out for 30 min" in finding.message
    assert "the order has no parcel" in finding.message
    (broken,) = [one for one in outcomes(report) if one.result == "invariant broken"]
    assert (broken.operation, broken.broken) == ("ship", "the order has no parcel")


def test_what_the_outside_reads_and_the_invariant_are_not_out() -> None:
    scenario = frail.scenario(
        frail.persists, external_events=frail.HOURLY, invariant=frail.has_rows
    )
    report = of(scenario, [MINUTE])
    assert report.proved == []
    assert any(one.failed for one in outcomes(report))


@pytest.mark.prove
def test_an_external_event_that_fails_leaves_the_experiment_out_and_accuses_nobody() -> None:
    def needs_the_order(shop: frail.Shop) -> None:
        assert "order" in shop.rows, "nothing was ordered"

    event = ExternalEvent(10 * MINUTE, "the customer asks", needs_the_order)
    report = of(frail.scenario(frail.persists, external_events=[event]))
    assert report.proved == []
    assert report.verdict == "not verified"
    reason = report.reasons[-1]
    assert "the customer asks" in reason
    assert "outage(" in reason
    assert Counter(results(report).values())[OutageResult.UNPLAYABLE] == 1


# -- when it is made ----------------------------------------------------------------------------


@pytest.mark.prove
def test_it_is_off_unless_it_is_asked_for_and_then_leaves_no_doubt() -> None:
    report = verify(frail.impatient, only=["single invocation"])
    assert report.experiments["outages"].state is ExperimentState.OFF
    assert not any("outages" in reason for reason in report.reasons)
    assert verify(frail.impatient, only=["outages"]).verdict == "breaks"


def test_it_does_not_apply_to_a_handler_that_calls_nothing() -> None:
    @durable_execution
    def calls_nothing(_: Any, context: DurableContext) -> str:
        return context.step(lambda _: "done", name="work")

    result = of(Scenario(handler=calls_nothing)).experiments["outages"]
    assert result.state is ExperimentState.NOT_APPLICABLE


@pytest.mark.prove
def test_two_verifications_give_the_same_report_however_many_runs_are_made_at_a_time(
    impatient: Report,
) -> None:
    other = of(frail.impatient, processes=2)
    assert other.findings == impatient.findings
    assert outcomes(other) == outcomes(impatient)


@pytest.mark.prove
def test_a_long_execution_is_sampled_and_the_report_says_so() -> None:
    @durable_execution
    def writes_often(_: Any, context: DurableContext) -> None:
        for n in range(45):
            context.step(lambda _: frail.put("row"), name=f"write {n}", config=frail.FOR_HOURS)

    scenario = frail.scenario(writes_often)
    result = of(scenario, [MINUTE]).experiments["outages"]
    assert result.sampled == "from 40 of 45 operations on"
    assert result.runs == 40


@pytest.mark.parametrize("lengths", [[timedelta(0)], [60], [MINUTE, -MINUTE]])
def test_a_length_that_is_none_is_a_mistake(lengths: Any) -> None:
    with pytest.raises(ScenarioError, match="each of outages must be a positive timedelta"):
        of(frail.patient, lengths)


@pytest.mark.parametrize(
    ("allowed", "message"),
    [
        ("FAILED", "must be a list of endings"),
        (["NOPE"], "each of outage_endings must be a status"),
    ],
)
def test_an_allowed_ending_that_is_none_is_a_mistake(allowed: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        frail.scenario(frail.persists, outage_endings=allowed)


# -- the command line ---------------------------------------------------------------------------


def verified(name: str, *options: str) -> tuple[int, dict[str, Any]]:
    skipped = ("single invocation", "suspended everywhere", "crashed everywhere", "replayed")
    skips = [part for one in (*skipped, "interleavings", "cold") for part in ("--skip", one)]
    target = f"tests/verify/frail.py:{name}"
    done = dacapo("verify", target, *skips, *options, "--format", "json")
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    ("options", "status", "runs"),
    [
        (["--outages", "--only", "outages"], 1, 6),
        (["--outages", "--outage-lasts", "1m"], 3, 3),  # the others are skipped
        ([], 3, 0),
    ],
)
def test_the_command_makes_it_if_asked_and_exits_with_what_it_shows(
    options: list[str], status: int, runs: int
) -> None:
    returned, printed = verified("impatient", *options)
    experiment = printed["experiments"]["outages"]
    assert (returned, experiment["runs"]) == (status, runs)
    assert (experiment["state"] == "off") is (not options)
    assert len([one for one in experiment["outages"] if one["failed_calls"]]) == runs


def test_the_command_exits_with_0_if_the_handler_survives() -> None:
    done = dacapo(
        *("verify", "tests/verify/frail.py:patient", "--only", "outages"),
        *("--outage-lasts", "1m", "--format", "json"),
    )
    printed = json.loads(done.stdout)
    assert printed["findings"] == [] or {f["kind"] for f in printed["findings"]} == {"lint"}
    left = {name for name, one in printed["experiments"].items() if one["state"] == "left out"}
    assert "outages" not in left
    assert done.returncode == 3, "the others were left out"


@pytest.mark.parametrize("length", ["0m", "5", "-1h", "soon"])
def test_a_length_on_the_command_line_that_is_none_is_one_line(length: str) -> None:
    done = dacapo("verify", "tests/verify/frail.py:patient", f"--outage-lasts={length}")
    assert_usage_error(done, f"--outage-lasts: {length!r} is not a length")
