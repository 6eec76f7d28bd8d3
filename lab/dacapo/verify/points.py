"""From which points of a history is replayed: all of them, or a stated choice of a long one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aws_durable_execution_sdk_python.lambda_service import Operation

from dacapo.recorded import label_of

DEFAULT_POINTS = 200
"""A replay reads back all that is recorded, so all points of n operations cost n². From so many on,
some are chosen."""
_NUMBER = re.compile(r"\d+")


def chosen(versions: Sequence[Operation], most: int | None) -> list[int]:
    """The points to replay from, each as the number of versions that make it.

    Every kind of point is among them (what an operation is, what it is called but for numbers, and
    what became of it: the first and the last time), and the rest at even distances.

    Parameters:
        versions: what became of the operations, one after the other.
        most: how many points to choose at even distances, at least 2; None for every point.
    """
    counts = range(1, len(versions) + 1)
    if most is None or len(counts) <= most:
        return list(counts)
    kinds = [(_NUMBER.sub("#", label_of(v)), v.operation_type, v.status) for v in versions]
    first = dict(zip(reversed(kinds), reversed(counts), strict=True))
    last = dict(zip(kinds, counts, strict=True))
    even = {counts[round(n * (len(counts) - 1) / (most - 1))] for n in range(most)}
    return sorted({*first.values(), *last.values(), *even})
