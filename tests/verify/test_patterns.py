"""Every scenario of every pattern survives replay: nothing is proved against it, nothing suspected.

To save time, `make test` takes every twelfth scenario, replays every third of these in a fresh
process and crashes every second at few points. `make prove` runs all of them in full.
"""

from __future__ import annotations

import pytest

from dacapo.history.points import DEFAULT_POINTS
from dacapo.testing.fixture import Durable
from dacapo.verify.experiments.reference import DEFAULT_CRASHES
from dacapo.verify.findings import ExperimentName
from tests.all_scenarios import SCENARIOS
from tests.depth import every

FEW_CRASHES, FEW_POINTS = 2, 30
EVERY = {ExperimentName.CRASHED: 2, ExperimentName.FRESH_PROCESS: 3}
"""Run such an experiment on every n-th scenario, counted through all of them."""
SKIPPED = {
    name: {experiment for experiment, every in EVERY.items() if number % every}
    for number, name in enumerate([*SCENARIOS][::12])
}


@pytest.mark.parametrize("name", every(12, SCENARIOS))
def test_a_scenario_of_a_pattern_survives_replay(
    durable: Durable, name: str, thorough: bool
) -> None:
    scenario = SCENARIOS[name]
    only = (
        [*ExperimentName]
        if thorough
        else [e for e in ExperimentName if e not in SKIPPED.get(name, ())]
    )
    crashes, points = (DEFAULT_CRASHES, DEFAULT_POINTS) if thorough else (FEW_CRASHES, FEW_POINTS)
    report = durable.verify(scenario, crashes=crashes, points=points, only=only)
    assert [finding.message for finding in report.findings] == []
    for experiment in {
        ExperimentName.CRASHED,
        ExperimentName.REPLAYED,
        ExperimentName.FRESH_PROCESS,
    }.intersection(only):
        ran = bool(report.experiments[experiment].runs)
        assert ran or durable.run(scenario).operations == [], "the experiment had something to run"
