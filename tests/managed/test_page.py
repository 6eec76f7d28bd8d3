"""The figures in docs/managed-instances.md match the price file."""

from __future__ import annotations

import re

import pytest

from dacapo import metering
from tests.project.test_tree import ROOT
from tools import managed_instances
from tools.managed_instances import MEMORIES_MB, break_even, fleet

PRICES = metering.price_list()
PATH = re.compile(r"`((?:src/)?[\w/]+\.py)`")


def test_the_figures_match_the_price_file() -> None:
    table = managed_instances.table(PRICES)
    assert managed_instances.current() == table, "run python -m tools.managed_instances"


@pytest.mark.parametrize("memory_mb", MEMORIES_MB)
def test_at_break_even_both_bills_are_equal(memory_mb: int) -> None:
    """Computed in reverse: that many invocations, at Lambda's price per GB-second."""
    invocations = break_even(PRICES, memory_mb).invocations
    price = PRICES["prices"]["gb_second_arm64"]["dollars"]
    on_default = invocations * 0.1 * memory_mb / 1024 * price
    terms = PRICES["managed_instances"]
    on_instances = 3 * terms["dollars_per_hour"] * 1.15 * 730
    assert on_default == pytest.approx(on_instances)
    assert fleet(PRICES).dollars_per_month == pytest.approx(on_instances)


def test_the_prices_have_a_date_a_source_and_a_list_of_what_is_unchecked() -> None:
    assert set(PRICES["managed_instances"]) >= {"date", "source", "unchecked"}


def test_every_module_that_the_page_names_exists() -> None:
    paths = PATH.findall(managed_instances.PAGE.read_text())
    assert paths
    for path in paths:
        assert any((ROOT / folder / path).exists() for folder in (".", "src", "src/patterns")), path
