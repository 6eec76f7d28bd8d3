"""The table in docs/callbacks.md matches what the code does."""

from __future__ import annotations

import pytest

from tests.patterns import callback_outcomes


@pytest.mark.prove
def test_the_table_in_the_docs_is_up_to_date() -> None:
    page = callback_outcomes.PAGE.read_text()
    table = page[
        page.index(callback_outcomes.BEGIN) + len(callback_outcomes.BEGIN) : page.index("<!-- end")
    ]
    assert "TWICE" not in table
    assert table == callback_outcomes.table_text(), (
        "run: python -m tests.patterns.callback_outcomes"
    )
