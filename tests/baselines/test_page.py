"""The tables of docs/baselines.md match what happens when the faults are injected."""

from __future__ import annotations

import pytest

from tests.baselines import page


@pytest.mark.prove
@pytest.mark.parametrize("name", page.written())
def test_each_table_matches_the_result_of_its_faults(name: str) -> None:
    assert page.table(name) == page.written()[name]
