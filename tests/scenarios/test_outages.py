"""The patterns without callbacks outlast an outage of each service that they call.

The execution ends as without the outage, only later, or as the scenario allows, and the scenario's
invariant holds: for example, no goods that left are refunded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

import dacapo
from dacapo import Code, ExperimentName, OutageKind, OutageResult, Recording, Scenario
from tests.all_scenarios import SCENARIOS
from tests.depth import every

LENGTHS = {
    "5h": timedelta(hours=5),
    "30m": timedelta(minutes=30),
    "1m": timedelta(minutes=1),
}
SERVICES: Mapping[str, tuple[str, ...]] = {
    "workflow shipped": ("dynamodb",),
    "workflow never_picked_up": ("dynamodb",),
    "workflow not_shippable": ("dynamodb",),
    "workflow canceled": ("dynamodb",),
    "polling finishes": ("dms",),
    "schedule hands_over_twice": ("sqs", "dynamodb", "lambda"),
    "fan_out client_posts_again": ("dynamodb", "sesv2"),
    "batch_import finishes": ("s3", "dynamodb"),
    "versioned settled": ("dynamodb",),
}
"""The services that the functions of each scenario call."""
SURVIVED = {OutageResult.LATER, OutageResult.SAME, OutageResult.ALLOWED, OutageResult.NOT_HIT}
NOT_SURVIVED = {Code.OUTAGE_NOT_SURVIVED, Code.INVARIANT_BROKEN}


@pytest.mark.parametrize(
    "case", every(11, [(name, length) for length in LENGTHS for name in SERVICES]), ids=" for ".join
)
def test_an_outage_from_any_operation_on_only_delays_the_end(case: tuple[str, str]) -> None:
    name, length = case
    report = dacapo.verify(
        SCENARIOS[name], outages=[LENGTHS[length]], only=[ExperimentName.OUTAGES]
    )
    outages = report.experiments[ExperimentName.OUTAGES].outages
    assert {outage.result for outage in outages} <= SURVIVED
    assert not {finding.code for finding in report.findings} & NOT_SURVIVED
    assert any(outage.failed for outage in outages), "no call was failed"
    assert not any(outage.broken for outage in outages)


@pytest.mark.parametrize(
    "case", every(23, [(name, seed) for name in SERVICES for seed in range(10)]), ids=str
)
def test_five_hours_without_all_services_at_once_break_no_invariant(case: tuple[str, int]) -> None:
    """Each seed begins the outage at another operation, in another way, with another jitter."""
    name, seed = case
    scenario = SCENARIOS[name]
    paths = _paths(dacapo.run(scenario))
    kinds = list(OutageKind)
    outage = dacapo.outage(
        *SERVICES[name],
        lasts=LENGTHS["5h"],
        kind=kinds[seed % len(kinds)],
        from_operation=paths[seed % len(paths)],
    )
    recording = dacapo.run(_with(scenario, outage), seed=seed)
    assert recording.broken_invariant is None
    assert recording.status == "SUCCEEDED"


@pytest.mark.parametrize("name", every(8, SERVICES))
def test_no_call_that_hangs_takes_an_invocation_to_its_timeout(name: str) -> None:
    """Five invocations that time out would end the execution, and no step would be retried."""
    hanging = dacapo.outage(*SERVICES[name], lasts=timedelta(hours=1), kind=OutageKind.HANGING)
    scenario = replace(_with(SCENARIOS[name], hanging), timeout=timedelta(seconds=60))
    recording = dacapo.run(scenario)
    assert recording.failed_calls
    assert recording.status == "SUCCEEDED"
    assert {invocation.status for invocation in recording.invocations} <= {"PENDING", "SUCCEEDED"}


def _paths(recording: Recording) -> list[str]:
    """Return the paths of the operations, each once: the first operation of that path."""
    return list(dict.fromkeys(operation.path for operation in recording.operations))


def _with(scenario: Scenario, outage: dacapo.ExternalEvent) -> Scenario:
    return replace(scenario, external_events=[*scenario.external_events, outage])
