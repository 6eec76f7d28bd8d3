"""docs/managed-instances.md: its figures are those of the price file."""

from __future__ import annotations

import re

import pytest

from dacapo import metering
from tests.project.test_tree import ROOT
from tools import managed_instances
from tools.managed_instances import MEMORIES_MB, break_even, fleet

PRICES = metering.price_list()
PATH = re.compile(r"`((?:src/)?[\w/]+\.py)`")


def test_the_figures_are_what_the_price_file_gives() -> None:
    made = managed_instances.table(PRICES)
    assert managed_instances.written() == made, "python -m tools.managed_instances makes it anew"


@pytest.mark.parametrize("memory_mb", MEMORIES_MB)
def test_at_break_even_both_bills_are_equal(memory_mb: int) -> None:
    """Reckoned the other way: so many invocations, at Lambda's price of a GB-second."""
    invocations = break_even(PRICES, memory_mb).invocations
    price = PRICES["prices"]["gb_second_arm64"]["dollars"]
    on_default = invocations * 0.1 * memory_mb / 1024 * price
    given = PRICES["managed_instances"]
    on_instances = 3 * given["dollars_per_hour"] * 1.15 * 730
    assert on_default == pytest.approx(on_instances)
    assert fleet(PRICES).dollars_per_month == pytest.approx(on_instances)


def test_the_prices_say_where_and_when_they_were_read_and_what_was_not_checked() -> None:
    assert set(PRICES["managed_instances"]) >= {"date", "source", "unchecked"}


def test_every_module_that_the_page_names_is_there() -> None:
    named = PATH.findall(managed_instances.PAGE.read_text())
    assert named
    for path in named:
        assert (ROOT / path).exists() or (ROOT / "src" / "patterns" / path).exists(), path
