"""The table in docs/outages.md is what the patterns do."""

from __future__ import annotations

import pytest

from tests.depth import every
from tests.patterns import outages

CHEAPEST_FIRST = sorted(outages.SCENARIOS, key=lambda pattern: pattern != "schedule")
REPEAT = "run: python -m tests.patterns.outages"


@pytest.mark.prove
@pytest.mark.parametrize("pattern", every(len(CHEAPEST_FIRST), CHEAPEST_FIRST))
def test_the_table_says_what_happens(pattern: str) -> None:
    assert outages.written(pattern) == list(outages.rows(pattern)), REPEAT


@pytest.mark.parametrize("pattern", CHEAPEST_FIRST)
def test_no_pattern_fails_in_an_outage(pattern: str) -> None:
    rows = outages.written(pattern)
    assert rows
    assert "**" not in "".join(rows)
