"""How deep the tests go: `make test` and `make prove` run a share each; ALL=yes adds the rest.

A test that says nothing of it shares its parameters as well, if it has many.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import pytest

PROVED = 4
"""Of the parameters that `make test` leaves out, `make prove` runs every fourth."""
MANY = 8
SHARE = 4
"""Of the parameters of a test with at least `MANY`, `make test` runs every fourth."""


def every(nth: int, values: Iterable[Any]) -> list[Any]:
    """Return parameters: `make test` runs every `nth`, `make prove` a share of the others."""
    return [pytest.param(value, marks=_marks(number, nth)) for number, value in enumerate(values)]


def _marks(number: int, nth: int) -> tuple[pytest.MarkDecorator, ...]:
    if number % nth == 0:
        return ()
    left_out = number - number // nth - 1
    return (pytest.mark.prove,) if left_out % PROVED == 0 else (pytest.mark.exhaustive,)


def share(items: Iterable[pytest.Item]) -> None:
    """Mark the parameters of tests that have many and no marks, as `every` does."""
    for _, group in groupby(items, lambda item: item.nodeid.partition("[")[0]):
        parameters = list(group)
        if len(parameters) >= MANY and not any(map(_is_marked, parameters)):
            for number, item in enumerate(parameters):
                for mark in _marks(number, SHARE):
                    item.add_marker(mark)


def _is_marked(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("prove", "exhaustive"))
