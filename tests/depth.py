"""How deep `make test` goes: a stated share of long tests; `make prove` runs the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def every(nth: int, values: Iterable[Any]) -> list[Any]:
    """Return parameters of which `make test` runs every `nth`, and `make prove` the others."""
    return [
        pytest.param(value, marks=pytest.mark.prove if number % nth else ())
        for number, value in enumerate(values)
    ]
