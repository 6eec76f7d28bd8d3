"""The table of docs/callbacks.md is what happens."""

from __future__ import annotations

from tests.patterns import what_becomes


def test_the_page_says_what_became_of_every_answer() -> None:
    page = what_becomes.PAGE.read_text()
    made = page[page.index(what_becomes.BEGIN) + len(what_becomes.BEGIN) : page.index("<!-- end")]
    assert "TWICE" not in made
    assert made == what_becomes.table(), "run: python -m tests.patterns.what_becomes"
