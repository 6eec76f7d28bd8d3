"""docs/by-hand.md tells what happens when it is run."""

from __future__ import annotations

import pytest

from tests.by_hand import page


@pytest.mark.parametrize("name", page.written())
def test_each_table_is_what_running_its_faults_gives(name: str) -> None:
    assert page.table(name) == page.written()[name]
