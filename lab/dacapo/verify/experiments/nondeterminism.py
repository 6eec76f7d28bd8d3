"""Replayed: the handler is called again from every point of its history, and watched.

What it attempts is compared with what was recorded. What it reads or does outside every step is a
suspicion, unless a side effect is seen at several points, or a replay in which only that source
(the clock, randomness, the sandbox, an order, the world) differs shows that the handler depends on
what it reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from dacapo.sdk.replayer import Trace
from dacapo.simulation.simulation import world_of
from dacapo.verify.compare import replays
from dacapo.verify.compare.operations import named
from dacapo.verify.compare.replays import after_version
from dacapo.verify.experiments.reference import Experiment, Plan, Reference
from dacapo.verify.experiments.sensitivity import Dependence, dependences
from dacapo.verify.findings import Code, Evidence, ExperimentName, Observation, Skipped
from dacapo.verify.observe.sources import Kind
from dacapo.verify.observe.watch import Sighting, watching
from dacapo.verify.workers.pool import Beat, Stopped

NAME = ExperimentName.REPLAYED
_CODES: dict[Kind, Code] = {
    "clock": Code.CLOCK_OUTSIDE_STEP,
    "randomness": Code.RANDOMNESS_OUTSIDE_STEP,
    "environment": Code.ENVIRONMENT_OUTSIDE_STEP,
    "context": Code.CONTEXT_OUTSIDE_STEP,
    "listing": Code.ORDER_OUTSIDE_STEP,
    "completion": Code.ORDER_OUTSIDE_STEP,
    "identity": Code.ORDER_OUTSIDE_STEP,
    "effect": Code.EFFECT_OUTSIDE_STEP,
    "query": Code.QUERY_OUTSIDE_STEP,
}
_CHANGES: dict[Kind, str] = {
    "clock": "at another time",
    "randomness": "with other random values",
    "context": "in another sandbox",
    "listing": "with folders listed in another order",
    "completion": "with threads and tasks that end in another order",
    "identity": "with other addresses and hashes",
    "query": "in the world as the run left it",
}
"""What alone is changed to see whether a handler depends on it."""


def _plan(reference: Reference) -> Plan:
    def judge(outcomes: Sequence[Any]) -> Iterator[Observation | Skipped]:
        for outcome in outcomes:
            if not isinstance(outcome, Stopped):
                yield from outcome

    chosen, count = len(reference.points), len(reference.log.states)
    sampled = f"replayed from {chosen:,} of {count:,} points" if chosen < count else ""
    return Plan([partial(_replayed, reference)], judge, counts=chosen, sampled=sampled)


def _replayed(reference: Reference, beat: Beat) -> list[Observation]:
    scenario = reference.scenario
    with world_of(scenario, reference.seed), watching() as watch:
        compared = replays.observations(
            scenario.handler, reference.log, reference.points, NAME, beat
        )
        observations = list(reference.judged(compared))
    return [*observations, *_outside_steps(reference, watch.seen, beat)]


def _outside_steps(
    reference: Reference, seen: Sequence[Sighting], beat: Beat
) -> Iterator[Observation]:
    read = {sighting.kind for sighting in seen} & set(_CHANGES)
    proofs = {}
    for dependence in dependences(reference, read, beat):
        proofs[dependence.kind] = dependence
        yield from _different_bodies(dependence, reference)
    for kind in dict.fromkeys(sighting.kind for sighting in seen):
        of_kind = [sighting for sighting in seen if sighting.kind == kind]
        proof = proofs.get(kind)
        if proof is None:
            yield from sightings(of_kind)
        else:
            # The line that reads an order is the cause, rather than the one that starts a thread.
            ordered = [sighting for sighting in of_kind if not sighting.is_unordered]
            yield from (_shown(one, proof, reference) for one in _each(ordered or of_kind))


def sightings(seen: Sequence[Sighting]) -> Iterator[Observation]:
    """Yield what the watch saw, each line of the user's once.

    A side effect that others may notice, and that a replay repeats, needs no further proof. A line
    that reads an order and ignores it is of no interest until something proves that it does not.
    """
    yield from _each([sighting for sighting in seen if not sighting.is_unordered])


def _each(seen: Sequence[Sighting]) -> Iterator[Observation]:
    for sighting, count in Counter(seen).items():
        message = f"{sighting.what} outside every step, at {count} of the points replayed"
        is_repeated = sighting.kind == "effect" and count > 1
        evidence = Evidence.REPETITION if is_repeated else Evidence.SIGHTING
        yield Observation(_CODES[sighting.kind], evidence, message, NAME, sighting.place)


def _shown(observation: Observation, dependence: Dependence, reference: Reference) -> Observation:
    before, after = _lines(dependence.before), _lines(dependence.after)
    pairs = ((a, b) for a, b in zip(before, after, strict=False) if a != b)
    one, other = next(pairs, (", ".join(before) or "nothing", ", ".join(after) or "nothing"))
    where = f"{after_version(reference.log, dependence.count)}, {_CHANGES[dependence.kind]}"
    return replace(
        observation,
        evidence=Evidence.DIFFERENCE,
        message=f"{observation.message}; replayed {where}: {other} instead of {one}",
        recorded=tuple(before),
        replayed=tuple(after),
    )


def _lines(trace: Trace) -> list[str]:
    lines = [repr(named(attempt.update)) for attempt in trace.attempts]
    lines += [f"the code at {place}" for place in trace.bodies.values()]
    if trace.has_ended and trace.output is not None:
        lines.append(f"the end with {trace.output.get('Result') or trace.output.get('Status')}")
    return lines


def _different_bodies(dependence: Dependence, reference: Reference) -> Iterator[Observation]:
    before, after = dependence.before.bodies, dependence.after.bodies
    for key in before.keys() & after.keys():
        if before[key] != after[key]:
            where = f"{after_version(reference.log, dependence.count)}, {_CHANGES[dependence.kind]}"
            message = f"replayed {where}, it runs the code at {after[key]}, not {before[key]}"
            yield Observation(Code.DIFFERENT_BODY, Evidence.DIFFERENCE, message, NAME, after[key])


REPLAYED = Experiment(NAME, _plan)
