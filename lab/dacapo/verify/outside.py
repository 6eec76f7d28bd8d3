"""What the watch saw outside every step: a suspicion, unless a run shows that it matters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from dacapo.replay import Trace
from dacapo.scenario import Scenario
from dacapo.verify.attempts import named
from dacapo.verify.dependence import Dependence, dependences
from dacapo.verify.findings import PROVED, SUSPECTED, Code, Finding
from dacapo.verify.log import Log
from dacapo.verify.rewound import NAME, after_version
from dacapo.verify.sources import Kind
from dacapo.verify.watch import Sighting

_CODES: dict[Kind, Code] = {
    "clock": Code.CLOCK_OUTSIDE_STEP,
    "chance": Code.CHANCE_OUTSIDE_STEP,
    "environment": Code.ENVIRONMENT_OUTSIDE_STEP,
    "effect": Code.EFFECT_OUTSIDE_STEP,
    "look": Code.EFFECT_OUTSIDE_STEP,
}
_OTHERWISE: dict[Kind, str] = {"clock": "at another time", "chance": "with other chance"}


def findings(
    scenario: Scenario,
    seed: int,
    log: Log,
    points: Sequence[int],
    seen: Sequence[Sighting],
    beat: Callable[[], None],
) -> Iterator[Finding]:
    """What is wrong with what was seen, each line of the user's once."""
    read = {sighting.kind for sighting in seen} & set(_OTHERWISE)
    proofs = {}
    for dependence in dependences(scenario, seed, log, points, read, beat):
        proofs[_CODES[dependence.kind]] = dependence
        yield from _other_bodies(dependence, log)
    for finding in suspicions(seen):
        proof = proofs.get(finding.code)
        yield _proved(finding, proof, log) if proof else finding


def suspicions(seen: Sequence[Sighting]) -> Iterator[Finding]:
    """What can be said of what was seen, without a further replay.

    What others may notice, and is done again by a replay, needs no further proof.
    """
    for sighting, count in Counter(seen).items():
        message = f"{sighting.what} outside every step, at {count} of the points replayed"
        certainty = PROVED if sighting.kind == "effect" and count > 1 else SUSPECTED
        yield Finding(_CODES[sighting.kind], certainty, message, NAME, sighting.place)


def _proved(finding: Finding, dependence: Dependence, log: Log) -> Finding:
    before, after = _shown(dependence.before), _shown(dependence.after)
    pairs = ((a, b) for a, b in zip(before, after, strict=False) if a != b)
    one, other = next(pairs, (", ".join(before) or "nothing", ", ".join(after) or "nothing"))
    when = f"{after_version(log, dependence.count)}, {_OTHERWISE[dependence.kind]}"
    return replace(
        finding,
        certainty=PROVED,
        message=f"{finding.message}; replayed {when}: {other} instead of {one}",
        recorded=tuple(before),
        replayed=tuple(after),
    )


def _shown(trace: Trace) -> list[str]:
    shown = [repr(named(attempt.update)) for attempt in trace.attempts]
    shown += [f"the code at {place}" for place in trace.bodies.values()]
    if trace.has_ended and trace.output is not None:
        shown.append(f"the end with {trace.output.get('Result') or trace.output.get('Status')}")
    return shown


def _other_bodies(dependence: Dependence, log: Log) -> Iterator[Finding]:
    before, after = dependence.before.bodies, dependence.after.bodies
    for key in before.keys() & after.keys():
        if before[key] != after[key]:
            when = f"{after_version(log, dependence.count)}, {_OTHERWISE[dependence.kind]}"
            message = f"replayed {when}, it runs the code at {after[key]}, not {before[key]}"
            yield Finding(Code.OTHER_BODY, PROVED, message, NAME, after[key])
