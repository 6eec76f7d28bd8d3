"""Every scenario of every pattern survives replay: nothing is proved against it, nothing suspected.

To save time, `make test` takes a few scenarios, has the invocations of one of them
run in other processes, and crashes every second at few points. `make prove` crashes all of them at
more points, and runs those few in other processes.
"""

from __future__ import annotations

import pytest

from dacapo.history.points import DEFAULT_POINTS
from dacapo.testing.fixture import Durable
from dacapo.verify.experiments.reference import DEFAULT_CRASHES
from dacapo.verify.findings import Certainty, ExperimentName
from dacapo.verify.verifier import ALL
from tests.all_scenarios import SCENARIOS
from tests.depth import every

FEW_CRASHES, FEW_POINTS = 2, 30
EVERY = {ExperimentName.CRASHED: 2, ExperimentName.COLD: 5}
"""Run such an experiment on every n-th scenario, counted through all of them."""
SKIPPED = {
    name: {experiment for experiment, every in EVERY.items() if number % every}
    for number, name in enumerate([*SCENARIOS][::24])
}


@pytest.mark.parametrize("name", every(24, SCENARIOS))
def test_a_scenario_of_a_pattern_survives_replay(
    durable: Durable, name: str, thorough: bool
) -> None:
    scenario = SCENARIOS[name]
    skipped = SKIPPED.get(name, set())
    if thorough:
        skipped = set() if name in [*SCENARIOS][::24] else {ExperimentName.COLD}
    only = [experiment for experiment in ALL if experiment not in skipped]
    crashes, points = (DEFAULT_CRASHES, DEFAULT_POINTS) if thorough else (FEW_CRASHES, FEW_POINTS)
    report = durable.verify(scenario, crashes=crashes, points=points, only=only)
    assert [f.message for f in report.findings if f.certainty is not Certainty.LINT] == []
    for experiment in {
        ExperimentName.CRASHED,
        ExperimentName.REPLAYED,
        ExperimentName.COLD,
    }.intersection(only):
        ran = bool(report.experiments[experiment].runs)
        assert ran or durable.run(scenario).operations == [], "the experiment had something to run"
