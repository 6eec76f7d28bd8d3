"""Every story of every pattern survives replay: nothing is proved against it, nothing suspected.

In another process each third story is replayed, each second one is crashed, and at few points; with
`make prove`, nothing is left out.
"""

from __future__ import annotations

import pytest

from dacapo.pytest_plugin import Durable
from dacapo.verify.experiments import CRASHED, DEFAULT_CRASHES, EXPERIMENTS, MOVED, REWOUND
from dacapo.verify.points import DEFAULT_POINTS
from tests.stories import STORIES

FEW_CRASHES, FEW_POINTS = 2, 30
EVERY = {CRASHED: 2, MOVED: 3}
"""Which stories such an experiment is made with, counted through all of them."""
LEFT_OUT = {
    name: {experiment for experiment, every in EVERY.items() if number % every}
    for number, name in enumerate(STORIES)
}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_of_a_pattern_survives_replay(durable: Durable, name: str, thorough: bool) -> None:
    story = STORIES[name]
    only = EXPERIMENTS if thorough else [e for e in EXPERIMENTS if e not in LEFT_OUT[name]]
    crashes, points = (DEFAULT_CRASHES, DEFAULT_POINTS) if thorough else (FEW_CRASHES, FEW_POINTS)
    report = durable.verify(story, crashes=crashes, points=points, only=only)
    assert [finding.message for finding in report.findings] == []
    for experiment in {CRASHED, REWOUND, MOVED}.intersection(only):
        was_tried = bool(report.experiments[experiment].runs)
        assert was_tried or durable.run(story).operations == [], "there is something to try"
