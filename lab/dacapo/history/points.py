"""Points of a history to replay from: all of them, or a selection if the history is long."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aws_durable_execution_sdk_python.lambda_service import Operation

from dacapo.history.operations import label_of

DEFAULT_POINTS = 200
"""Points to replay from. A replay reads back everything recorded, so replaying n operations from
every point costs n²; a longer history is sampled."""
_NUMBER = re.compile(r"\d+")


def choose_points(states: Sequence[Operation], most: int | None) -> list[int]:
    """Return the points to replay from, each as the number of states that precede it.

    The selection includes the first and the last point of every kind (type, status, and name
    without its numbers), and others at even distances.

    Parameters:
        states: the states of the operations, in order.
        most: number of points at even distances, at least 2; None for every point.
    """
    counts = range(1, len(states) + 1)
    if most is None or len(counts) <= most:
        return list(counts)
    kinds = [(_NUMBER.sub("#", label_of(s)), s.operation_type, s.status) for s in states]
    first = dict(zip(reversed(kinds), reversed(counts), strict=True))
    last = dict(zip(kinds, counts, strict=True))
    even = {counts[round(n * (len(counts) - 1) / (most - 1))] for n in range(most)}
    return sorted({*first.values(), *last.values(), *even})


def share_of_points(count: int, most: int, number: int) -> list[int]:
    """Return this history's share of its points, if many histories are replayed.

    The last point reads everything back, so it is always there. The others are dealt out: so many
    histories of one kind, one after the other, have every point between them.

    Parameters:
        count: how many points there are.
        most: how many to return, at least 1.
        number: the history's number among the others.
    """
    hands = -(-count // most)
    return [at for at in range(1, count + 1) if at == count or at % hands == number % hands]
