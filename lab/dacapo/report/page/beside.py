"""Two executions beside each other: which operations belong together, and where they part."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from dacapo.report.page.model import Execution, Operation, Parting

Row = tuple[int | None, int | None]
"""Indexes of two operations that belong together; None for a gap."""


def aligned(ones: Sequence[Operation], others: Sequence[Operation]) -> list[Row]:
    """Return the operations of two executions in pairs, by their paths."""
    matcher = SequenceMatcher(
        None, [one.path for one in ones], [one.path for one in others], autojunk=False
    )
    rows: list[Row] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            rows += zip(range(i1, i2), range(j1, j2), strict=True)
        else:
            rows += [(n, None) for n in range(i1, i2)]
            rows += [(None, n) for n in range(j1, j2)]
    return rows


def parting_of(one: Execution, other: Execution, rows: Sequence[Row]) -> Parting | None:
    """Return where two executions part: at the first operation, or effect, that differs."""
    labels = one.label or "the first", other.label or "the second"
    for a, b in rows:
        parting = _parting_at(one, other, a, b, labels)
        if parting is not None:
            return parting
    counts = len(one.effects or ()), len(other.effects or ())
    if counts[0] != counts[1]:
        sentence = (
            f"the operations are the same, but the world saw {counts[0]} effects of {labels[0]}, "
            f"and {counts[1]} of {labels[1]}"
        )
        seen = (*(one.effects or ()), *(other.effects or ()))
        return Parting(next((effect.run for effect in seen if effect.again), 1), sentence)
    if one.status != other.status or one.result != other.result:
        return Parting(len(one.passes), "the operations are the same, but the results differ")
    return None


def _parting_at(
    one: Execution, other: Execution, a: int | None, b: int | None, labels: tuple[str, str]
) -> Parting | None:
    """Return how two executions part at a pair of operations, if they do."""
    if a is None or b is None:
        of, number, label = (one, a, labels[0]) if b is None else (other, b, labels[1])
        number = number or 0
        return Parting(_run_of(of, number), f"only {label} has {of.operations[number].path!r}")
    ours, theirs = one.operations[a], other.operations[b]
    runs = _run_of(one, a), _run_of(other, b)
    if ours.status != theirs.status:
        how = (ours.status, theirs.status)
    elif runs[0] != runs[1]:
        how = (f"begun in invocation {runs[0]}", f"in invocation {runs[1]}")
    else:
        return None
    sentence = f"{ours.path!r} is {how[0]} in {labels[0]}, and {how[1]} in {labels[1]}"
    return Parting(min(filter(None, runs), default=None), sentence)


def _run_of(execution: Execution, operation: int) -> int | None:
    begun = execution.operations[operation].begun
    return next((one.number for one in execution.passes if begun < one.after), None)
