"""Values as text, to compare them where they are not."""

from __future__ import annotations

import json
import re

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
KEPT_CHARACTERS = 2_000
"""Of a value: enough to compare and to show it."""


def as_text(value: object) -> str:
    """Return a value as text: the same for equal values, in every process."""
    try:
        text = json.dumps(value, sort_keys=True, default=_described)
    except (TypeError, ValueError, RecursionError):
        text = _described(value)
    return text[:KEPT_CHARACTERS]


def _described(value: object) -> str:
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(repr, value)))}}}"
    try:
        return _ADDRESS.sub("", repr(value))
    except Exception:  # noqa: BLE001 - a class of the user's that cannot be shown
        return type(value).__name__
