"""Does what a handler reads outside its steps matter? The same replay, with that alone changed.

Reading the clock for a log record does no harm. So the points of a history are replayed once more
at another time, or with other random values, in an otherwise equal world; if the handler then does
something else at one of them, it depends on what it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from aws_durable_execution_sdk_python.lambda_service import OperationAction, OperationUpdate

from dacapo.sdk.replayer import Trace
from dacapo.simulation.simulation import world_of
from dacapo.verify.experiments.reference import Reference
from dacapo.verify.observe.sources import Kind

LATER = timedelta(days=45, hours=7, minutes=13)
"""Another month, another day of the week, another hour."""
TRIES = 4
"""Other times, and other random values: a draw between two falls the same way every other time."""


@dataclass(frozen=True)
class Dependence:
    """A point from which a handler does something else, because of what it read.

    Parameters:
        kind: what alone was changed.
        count: how many states of the history make up the point.
        before, after: what the handler did there.
    """

    kind: Kind
    count: int
    before: Trace
    after: Trace


def dependences(
    reference: Reference, kinds: set[Kind], beat: Callable[[], None]
) -> Iterator[Dependence]:
    """Yield on which of these the handler depends.

    Parameters:
        kinds: `clock`, `randomness`, or both.
        beat: is called before each replay.
    """
    if not kinds:
        return
    seed, traces = reference.seed, partial(_traces, reference, beat)
    before = traces(seed)
    if _first_difference(before, traces(seed)) is not None:
        return  # It never does the same twice, so nothing is shown by its doing something else.
    for kind in sorted(kinds):
        for number in range(1, TRIES + 1):
            other_seed = seed + number if kind == "randomness" else seed
            later = number * LATER if kind == "clock" else timedelta(0)
            after = traces(other_seed, later)
            at = _first_difference(before, after)
            if at is not None:
                yield Dependence(kind, reference.points[at], before[at], after[at])
                break


def _traces(
    reference: Reference, beat: Callable[[], None], seed: int, later: timedelta = timedelta(0)
) -> list[Trace]:
    traces = []
    with world_of(reference.scenario, seed, later):
        for count in reference.points:
            beat()
            traces.append(reference.log.replay(reference.scenario.handler, count))
    return traces


def _first_difference(one: list[Trace], other: list[Trace]) -> int | None:
    pairs = enumerate(zip(one, other, strict=True))
    return next((number for number, (a, b) in pairs if _signature(a) != _signature(b)), None)


def _signature(trace: Trace) -> tuple[object, ...]:
    return (
        [_without_jitter(attempt.update) for attempt in trace.attempts],
        trace.bodies,
        trace.output,
        type(trace.error),
        [_without_jitter(attempt.update) for attempt in trace.late],
    )


def _without_jitter(update: OperationUpdate) -> object:
    # The pause before another attempt is jittered on purpose.
    if update.action is OperationAction.RETRY:
        return update.operation_id, update.name
    return update
