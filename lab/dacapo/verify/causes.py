"""From what the experiments saw to what is wrong: what one cause explains is told once.

A handler that reads the clock is seen to start other operations, to skip recorded ones, to end
otherwise: one thing is wrong with it, and all the rest follows. So the findings are taken in the
order in which they explain most, and each takes with it what follows from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dacapo.verify.findings import PROVED, Code, Finding

_FOLLOWS = (
    Code.OTHER_OPERATION,
    Code.OTHER_BODY,
    Code.NEVER_REACHED,
    Code.ENDED_EARLY,
    Code.OTHER_WAIT,
    Code.OTHER_CALLBACK,
    Code.OTHER_INVOKE,
    Code.EFFECT_REPEATED,
    Code.OTHER_RESULT,
    Code.OTHER_EFFECTS,
)
"""What is seen of many causes; of these, the first explains the others."""
_READ = (Code.CLOCK_OUTSIDE_STEP, Code.CHANCE_OUTSIDE_STEP)
_LOOKS = (*_READ, Code.ENVIRONMENT_OUTSIDE_STEP)

_EXPLAINS: dict[Code, tuple[Code, ...]] = {
    Code.OTHER_THREAD: (
        *(Code.OTHER_THREAD, Code.SUSPENSION_SWALLOWED, Code.DIVERGENCE_SWALLOWED),
        *_FOLLOWS,
    ),
    Code.OPERATION_IN_STEP: (Code.DIVERGENCE_SWALLOWED, *_FOLLOWS),
    Code.PARENT_CONTEXT: (Code.DIVERGENCE_SWALLOWED, *_FOLLOWS),
    Code.SUSPENSION_SWALLOWED: (Code.DIVERGENCE_SWALLOWED, *_FOLLOWS),
    Code.DIVERGENCE_SWALLOWED: (*_LOOKS, *_FOLLOWS),
    Code.UNNAMED_OPERATION: (*_LOOKS, *_FOLLOWS),
    **{code: (code, *_FOLLOWS) for code in _READ},
    Code.PAYLOAD_TOO_LARGE: _FOLLOWS,
    **{code: (*_FOLLOWS[number:], *_LOOKS) for number, code in enumerate(_FOLLOWS)},
}
"""What follows from what, in the order in which causes are looked for."""
_NEEDS = {Code.UNNAMED_OPERATION: Code.OTHER_BODY, Code.OTHER_THREAD: Code.OTHER_OPERATION}
"""What has to be seen for a suspicion to be the cause of it."""


def gathered(found: Sequence[Finding]) -> list[Finding]:
    """The findings, each once, with what it explains.

    Parameters:
        found: everything that was seen.
    """
    once = list(_once(found))
    left = [_upgraded(finding, once) for finding in once]
    left.sort(key=_rank)
    gathered: list[Finding] = []
    while left:
        first = left.pop(0)
        if first.certainty == PROVED:
            explained = _EXPLAINS.get(first.code, ())
            follows = tuple(other for other in left if other.code in explained)
            left = [other for other in left if other not in follows]
            first = replace(first, also=follows)
        gathered.append(first)
    return gathered


def _rank(finding: Finding) -> tuple[bool, int]:
    order = list(_EXPLAINS)
    number = order.index(finding.code) if finding.code in order else len(order)
    return finding.certainty != PROVED, number


def _upgraded(finding: Finding, others: Sequence[Finding]) -> Finding:
    needed = _NEEDS.get(finding.code)
    is_seen = any(other.code is needed and other.certainty == PROVED for other in others)
    return replace(finding, certainty=PROVED) if is_seen else finding


def _once(found: Sequence[Finding]) -> Iterator[Finding]:
    # Of one kind, the findings that name a line, each line once; if none does, the first one.
    for code in dict.fromkeys(finding.code for finding in found):
        alike = [finding for finding in found if finding.code is code]
        alike.sort(key=lambda finding: finding.certainty != PROVED)
        placed = {finding.place: finding for finding in reversed(alike) if finding.place}
        yield from reversed(placed.values()) if placed else alike[:1]
