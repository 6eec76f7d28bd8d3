"""How deep the tests go: `make test` and `make prove` run a share each; ALL=yes adds the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

PROVED = 4
"""Of the parameters that `make test` leaves out, `make prove` runs every fourth."""


def every(nth: int, values: Iterable[Any]) -> list[Any]:
    """Return parameters: `make test` runs every `nth`, `make prove` a share of the others."""
    return [pytest.param(value, marks=_marks(number, nth)) for number, value in enumerate(values)]


def _marks(number: int, nth: int) -> tuple[pytest.MarkDecorator, ...]:
    if number % nth == 0:
        return ()
    left_out = number - number // nth - 1
    return (pytest.mark.prove,) if left_out % PROVED == 0 else (pytest.mark.exhaustive,)
