"""From what the experiments saw to what is wrong: one cause, one finding, and how sure it is.

This is the only module that decides certainty. An observation is proved by its evidence: two runs
that must agree and do not, a rule that is broken, a side effect that happens again. Everything else
is a suspicion, until something else that was seen shows its consequence.

A handler that reads the clock is seen to start different operations, to skip recorded ones, to end
with a different result: one thing is wrong with it, and the rest follows. So findings are taken in
the order in which they explain most, and each takes with it what follows from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from dacapo.verify.findings import Certainty, Code, Evidence, Finding, Observation

_PROVES = {Evidence.DIFFERENCE, Evidence.RULE, Evidence.REPETITION}

HARMLESS_IN_FLIGHT = (
    *(Code.DIFFERENT_WAIT, Code.DIFFERENT_CALLBACK),
    *(Code.DIFFERENT_INVOKE, Code.DIFFERENT_RESULT),
)
"""What the service and the SDK keep as it was recorded, or take as it comes: new code that differs
only in this harms no execution in flight."""

_FOLLOWS = (
    Code.DIFFERENT_OPERATION,
    Code.DIFFERENT_BODY,
    Code.NEVER_REACHED,
    Code.ENDED_EARLY,
    Code.DIFFERENT_WAIT,
    Code.DIFFERENT_CALLBACK,
    Code.DIFFERENT_INVOKE,
    Code.EFFECT_REPEATED,
    Code.DIFFERENT_RESULT,
    Code.DIFFERENT_EFFECTS,
)
"""What is seen of many causes; of these, the first explains the others."""
_CHANGING_READS = (Code.CLOCK_OUTSIDE_STEP, Code.RANDOMNESS_OUTSIDE_STEP)
_READS = (*_CHANGING_READS, Code.ENVIRONMENT_OUTSIDE_STEP)

_EXPLAINS: dict[Code, tuple[Code, ...]] = {
    Code.DIFFERENT_THREAD: (
        *(Code.DIFFERENT_THREAD, Code.SUSPENSION_SWALLOWED, Code.DIVERGENCE_SWALLOWED),
        *_FOLLOWS,
    ),
    Code.OPERATION_IN_STEP: (Code.DIVERGENCE_SWALLOWED, *_FOLLOWS),
    Code.PARENT_CONTEXT: (Code.DIVERGENCE_SWALLOWED, *_FOLLOWS),
    Code.SUSPENSION_SWALLOWED: (Code.DIVERGENCE_SWALLOWED, *_FOLLOWS),
    Code.DIVERGENCE_SWALLOWED: (*_READS, *_FOLLOWS),
    Code.UNNAMED_OPERATION: (*_READS, *_FOLLOWS),
    **{code: (code, *_FOLLOWS) for code in _CHANGING_READS},
    Code.PAYLOAD_TOO_LARGE: _FOLLOWS,
    **{code: (*_FOLLOWS[number:], *_READS) for number, code in enumerate(_FOLLOWS)},
}
"""What follows from what, in the order in which causes are looked for."""
_NEEDS = {
    Code.UNNAMED_OPERATION: Code.DIFFERENT_BODY,
    Code.DIFFERENT_THREAD: Code.DIFFERENT_OPERATION,
}
"""What has to be proved for a suspicion to be the cause of it."""


def triage(observations: Sequence[Observation], harmless: Collection[Code] = ()) -> list[Finding]:
    """Decide what was shown: each cause once, what is proved first, with what it explains.

    Parameters:
        observations: everything that was seen.
        harmless: codes that are suspected at most, on any evidence.
    """
    distinct = [_judged(observation, harmless) for observation in _distinct(observations)]
    left = [_upgraded(finding, distinct) for finding in distinct]
    left.sort(key=_rank)
    findings: list[Finding] = []
    while left:
        first = left.pop(0)
        if first.certainty is Certainty.PROVED:
            explained = _EXPLAINS.get(first.code, ())
            follows = tuple(other for other in left if other.code in explained)
            left = [other for other in left if other not in follows]
            first = replace(first, also=follows)
        findings.append(first)
    return findings


def _proves(observation: Observation) -> bool:
    return observation.evidence in _PROVES


def _distinct(observations: Sequence[Observation]) -> Iterator[Observation]:
    # Of one kind, those that name a line, each line once; if none does, the first one.
    for code in dict.fromkeys(observation.code for observation in observations):
        alike = [observation for observation in observations if observation.code is code]
        alike.sort(key=lambda observation: not _proves(observation))
        by_line = {one.place: one for one in reversed(alike) if one.place}
        yield from reversed(by_line.values()) if by_line else alike[:1]


def _judged(observation: Observation, harmless: Collection[Code]) -> Finding:
    is_proved = _proves(observation) and observation.code not in harmless
    return Finding(
        observation.code,
        Certainty.PROVED if is_proved else Certainty.SUSPECTED,
        observation.message,
        observation.experiment,
        observation.place,
        observation.recorded,
        observation.replayed,
    )


def _upgraded(finding: Finding, others: Sequence[Finding]) -> Finding:
    needed = _NEEDS.get(finding.code)
    is_seen = any(other.code is needed and other.certainty is Certainty.PROVED for other in others)
    return replace(finding, certainty=Certainty.PROVED) if is_seen else finding


def _rank(finding: Finding) -> tuple[bool, int]:
    order = list(_EXPLAINS)
    number = order.index(finding.code) if finding.code in order else len(order)
    return finding.certainty is not Certainty.PROVED, number
