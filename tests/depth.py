"""How deep the tests go: `make test` and `make prove` run a share each; ALL=yes adds the rest.

A test that says nothing of it shares its parameters as well, if it has many; so do those that
verify handlers, for seconds each.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import groupby
from typing import Any

import pytest

PROVED = 20
"""Of the parameters that `every` leaves out of `make test`, `make prove` runs every 20th."""
MANY = 8
SHARE = 4
"""Of the parameters of a test with at least `MANY`, `make test` runs every fourth."""
SHARE_PROVED = 8
"""Of those that it leaves out, `make prove` runs every eighth."""
VERIFYING = ("tests/verify/", "tests/testing/")
"""Tests that run a handler hundreds of times: of those, `make test` runs the first parameter."""


def every(nth: int, values: Iterable[Any], *, proved: int = PROVED) -> list[Any]:
    """Return parameters: `make test` runs every `nth`, `make prove` a share of the others.

    Parameters:
        nth: 1 for all; 0 for none.
        values: the parameters.
        proved: of those that `make test` leaves out, `make prove` runs one of so many.
    """
    marks = partial(_marks, nth=nth, proved=proved)
    return [pytest.param(value, marks=marks(number)) for number, value in enumerate(values)]


def _marks(number: int, nth: int, proved: int) -> tuple[pytest.MarkDecorator, ...]:
    if nth and number % nth == 0:
        return ()
    left_out = number - number // nth - 1 if nth else number
    return (pytest.mark.prove,) if left_out % proved == 0 else (pytest.mark.exhaustive,)


def share(items: Iterable[pytest.Item]) -> None:
    """Mark the parameters of tests that have many and no marks, as `every` does."""
    for name, group in groupby(items, lambda item: item.nodeid.partition("[")[0]):
        parameters = list(group)
        is_slow = name.startswith(VERIFYING)
        if len(parameters) < (2 if is_slow else MANY) or any(map(_is_marked, parameters)):
            continue
        for number, item in enumerate(parameters):
            for mark in _marks(number, len(parameters) if is_slow else SHARE, SHARE_PROVED):
                item.add_marker(mark)


def _is_marked(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("prove", "exhaustive"))
