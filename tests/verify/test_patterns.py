"""Every story of every pattern survives replay: nothing is proved against it, nothing suspected."""

from __future__ import annotations

import pytest

from dacapo import Scenario
from dacapo.pytest_plugin import Durable
from dacapo.verify.experiments import CRASHED, MOVED, REWOUND
from tests.stories import STORIES

CRASHES = 5
"""Fewer than `dacapo verify` tries, so that the whole suite stays short."""


@pytest.mark.parametrize("story", STORIES.values(), ids=list(STORIES))
def test_a_story_of_a_pattern_survives_replay(durable: Durable, story: Scenario) -> None:
    report = durable.verify(story, crashes=CRASHES)
    assert [finding.message for finding in report.findings] == []
    for experiment in (CRASHED, REWOUND, MOVED):
        has_operations = bool(report.experiments[experiment].runs)
        assert has_operations or story.event == {"order_id": "A-17", "items": []}
