"""From what the experiments saw to what is wrong: one cause, one finding, and how sure it is.

This is the only module that decides certainty. An observation is proved by its evidence: two runs
that must agree and do not, a rule that is broken, a side effect that happens again. A rule of good
style is a lint. Everything else is a suspicion. Either is proved if something else that was seen
shows its consequence.

A handler that reads the clock is seen to start different operations, to skip recorded ones, to end
with a different result: one thing is wrong with it, and the rest follows. So findings are taken in
the order in which they explain most, and each takes with it what follows from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from dacapo.process.source_lines import Place
from dacapo.verify.compare.causes import flows
from dacapo.verify.findings import Certainty, Code, Evidence, Finding, Observation

_CERTAINTY = {
    **dict.fromkeys((Evidence.DIFFERENCE, Evidence.RULE, Evidence.REPETITION), Certainty.PROVED),
    **dict.fromkeys((Evidence.SIGHTING, Evidence.NEAR_LIMIT), Certainty.SUSPECTED),
    Evidence.LINT: Certainty.LINT,
}
_ORDER = list(Certainty)

HARMLESS_IN_FLIGHT = (
    *(Code.DIFFERENT_WAIT, Code.DIFFERENT_CALLBACK),
    *(Code.DIFFERENT_INVOKE, Code.DIFFERENT_RESULT),
)
"""What the service and the SDK keep as it was recorded, or take as it comes: new code that differs
only in this harms no execution in flight."""

_FOLLOWS = (
    Code.PROCESS_STATE,
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
    Code.INVARIANT_BROKEN,
)
"""What is seen of many causes; of these, the first explains the others."""
_CHANGING_READS = (
    *(Code.CLOCK_OUTSIDE_STEP, Code.RANDOMNESS_OUTSIDE_STEP, Code.CONTEXT_OUTSIDE_STEP),
    *(Code.ORDER_OUTSIDE_STEP, Code.QUERY_OUTSIDE_STEP),
)
_READS = (*_CHANGING_READS, Code.ENVIRONMENT_OUTSIDE_STEP)

_EXPLAINS: dict[Code, tuple[Code, ...]] = {
    Code.DIFFERENT_THREAD: (
        *(Code.DIFFERENT_THREAD, Code.SUSPENSION_SWALLOWED, Code.DIVERGENCE_SWALLOWED),
        *(Code.ORDER_OUTSIDE_STEP, *_FOLLOWS),
    ),
    Code.OPERATION_IN_STEP: (Code.DIVERGENCE_SWALLOWED, *_FOLLOWS),
    Code.PARENT_CONTEXT: (Code.DIVERGENCE_SWALLOWED, *_FOLLOWS),
    Code.SUSPENSION_SWALLOWED: (Code.DIVERGENCE_SWALLOWED, *_FOLLOWS),
    Code.DIVERGENCE_SWALLOWED: (*_READS, *_FOLLOWS),
    Code.UNNAMED_OPERATION: (*_READS, *_FOLLOWS),
    **{code: (code, *_FOLLOWS) for code in _CHANGING_READS},
    Code.RAN_TWICE: (Code.EFFECT_REPEATED,),
    Code.PAYLOAD_TOO_LARGE: _FOLLOWS,
    Code.CHANGED_BY_SERDES: _FOLLOWS,
    **{code: (*_FOLLOWS[number:], *_READS) for number, code in enumerate(_FOLLOWS)},
}
"""What follows from what, in the order in which causes are looked for."""
_NEEDS: dict[Code, tuple[Code, ...]] = {
    Code.UNNAMED_OPERATION: (Code.DIFFERENT_BODY,),
    Code.DIFFERENT_THREAD: (
        *(Code.DIFFERENT_OPERATION, Code.SUSPENSION_SWALLOWED, Code.DIVERGENCE_SWALLOWED),
    ),
    Code.CHANGED_BY_SERDES: _FOLLOWS,
}
"""Of which one has to be proved for a suspicion or a lint to be the cause of it."""
_LAST_RESORTS = (Code.CHANGED_BY_SERDES,)
"""Causes of what nothing else explains."""


def triage(observations: Sequence[Observation], harmless: Collection[Code] = ()) -> list[Finding]:
    """Decide what was shown: each cause once, what is proved first, with what it explains.

    Parameters:
        observations: everything that was seen.
        harmless: codes that are suspected at most, on any evidence.
    """
    return one_per_cause(judge(observations, harmless))


def judge(observations: Sequence[Observation], harmless: Collection[Code] = ()) -> list[Finding]:
    """Decide how certain each thing is that was seen; see `triage`."""
    findings = [_judged(observation, harmless) for observation in _distinct(observations)]
    return [_upgraded(finding, findings) for finding in findings]


def one_per_cause(findings: Sequence[Finding]) -> list[Finding]:
    """Return the causes, in the order of their certainty, each with what follows from it."""
    left = sorted(findings, key=_rank)
    causes: list[Finding] = []
    while left:
        first = left.pop(0)
        if first.certainty is Certainty.PROVED:
            explained = _EXPLAINS.get(first.code, ())
            follows = tuple(other for other in left if other.code in explained)
            left = [other for other in left if other not in follows]
            first = _with_line_first(first, follows)
        causes.append(first)
    return sorted(causes, key=_rank_of_cause)


def _with_line_first(cause: Finding, follows: tuple[Finding, ...]) -> Finding:
    """Return a cause with what follows from it; one without a line comes after one that has it."""
    named = [other for other in follows if other.certainty is Certainty.PROVED and other.place]
    if cause.place is None and named:
        others = (other for other in follows if other is not named[0])
        return replace(named[0], also=(cause, *others))
    return replace(cause, also=follows)


def _distinct(observations: Sequence[Observation]) -> Iterator[Observation]:
    # Of one kind, those that name a line, each line and subject once; if none does, the first one.
    for code in dict.fromkeys(observation.code for observation in observations):
        alike = [observation for observation in observations if observation.code is code]
        alike.sort(key=lambda one: (_ORDER.index(_CERTAINTY[one.evidence]), one.only_in_replays))
        by_line: dict[tuple[Place, str], Observation] = {}
        for one in alike:
            if one.place is not None:
                by_line.setdefault((one.place, one.subject), one)
        yield from by_line.values() if by_line else alike[:1]


def _judged(observation: Observation, harmless: Collection[Code]) -> Finding:
    certainty = _CERTAINTY[observation.evidence]
    if certainty is Certainty.PROVED and observation.code in harmless:
        certainty = Certainty.SUSPECTED
    return Finding(
        observation.code,
        certainty,
        observation.message,
        observation.experiment,
        observation.place,
        observation.recorded,
        observation.replayed,
        old_name=observation.old_name,
    )


def _upgraded(finding: Finding, others: Sequence[Finding]) -> Finding:
    needed = _NEEDS.get(finding.code, ())
    is_seen = any(_proves(other, needed) for other in others)
    if finding.code in _CHANGING_READS and finding.certainty is Certainty.SUSPECTED:
        # A read that a replay shows to matter is the cause, rather than any other one.
        is_known = any(_proves(other, _CHANGING_READS) for other in others)
        is_seen = not is_known and any(_leads_to(finding, other) for other in others)
    if finding.code in _LAST_RESORTS:
        is_seen = is_seen and not any(_explains_more(other) for other in others)
    return replace(finding, certainty=Certainty.PROVED) if is_seen else finding


def _proves(finding: Finding, codes: Collection[Code]) -> bool:
    return finding.code in codes and finding.certainty is Certainty.PROVED


def _leads_to(read: Finding, other: Finding) -> bool:
    """Return whether what is read at one line is used at another, where something was proved."""
    return bool(
        _proves(other, _FOLLOWS) and read.place and other.place and flows(read.place, other.place)
    )


def _explains_more(finding: Finding) -> bool:
    return finding.code in _EXPLAINS and finding.code not in (*_FOLLOWS, *_LAST_RESORTS)


def _rank(finding: Finding) -> tuple[int, int]:
    order = list(_EXPLAINS)
    number = order.index(finding.code) if finding.code in order else len(order)
    return _ORDER.index(finding.certainty), number


def _rank_of_cause(finding: Finding) -> tuple[int, bool]:
    return _ORDER.index(finding.certainty), finding.place is None
