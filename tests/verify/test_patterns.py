"""Every scenario of every pattern survives replay: nothing is proved against it, nothing suspected.

To save time, `make test` takes a few scenarios, and crashes every second of them at few points.
`make prove` crashes all of them at more points, and runs those few in other processes.
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
FEW = [*SCENARIOS][::48]


@pytest.mark.parametrize("name", every(48, SCENARIOS))
def test_a_scenario_of_a_pattern_survives_replay(
    durable: Durable, name: str, thorough: bool
) -> None:
    scenario = SCENARIOS[name]
    skipped = set() if thorough and name in FEW else {ExperimentName.COLD}
    if not thorough and name not in FEW[::2]:
        skipped.add(ExperimentName.CRASHED)
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
