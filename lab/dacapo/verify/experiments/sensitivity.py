"""Does what a handler reads outside its steps matter? The same replay, with that alone changed.

Reading the clock for a log record does no harm. So the points of a history are replayed once more
at another time, with other random values, in another sandbox, with another order of what has none,
or in the world as the run left it; if the handler then does something else at one of them, it
depends on what it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta

from aws_durable_execution_sdk_python.lambda_service import OperationAction, OperationUpdate

from dacapo.sdk.replayer import Trace
from dacapo.simulation.simulation import world_of
from dacapo.verify.experiments import otherwise
from dacapo.verify.experiments.reference import Reference
from dacapo.verify.observe.sources import Kind

LATER = timedelta(days=45, hours=7, minutes=13)
"""Another month, another day of the week, another hour."""
TRIES = 4
"""Other times, and other random values: a draw between two falls the same way every other time."""

World = Callable[[], AbstractContextManager[None]]
"""Builds what a handler is replayed in."""


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
        kinds: what it reads; see `sources.Kind`.
        beat: is called before each replay.
    """
    for kind in sorted(kinds):
        is_alone = not kinds & {"completion", "identity"}
        dependence = _dependence(reference, kind, beat, is_alone=is_alone)
        if dependence is not None:
            yield dependence


def _dependence(
    reference: Reference, kind: Kind, beat: Callable[[], None], *, is_alone: bool
) -> Dependence | None:
    before = _traces(reference, beat, _world(reference, kind, 0))
    again = _traces(reference, beat, _world(reference, kind, 0))
    at = _first_difference(before, again)
    if at is not None:
        # It never does the same twice: nothing is shown by its doing something else. But only
        # randomness can be out of our hands: a generator that the operating system seeds.
        is_random = kind == "randomness" and is_alone
        return Dependence(kind, reference.points[at], before[at], again[at]) if is_random else None
    for number in range(1, TRIES + 1):
        after = _traces(reference, beat, _world(reference, kind, number))
        at = _first_difference(before, after)
        if at is not None:
            return Dependence(kind, reference.points[at], before[at], after[at])
        if kind in _OF_TWO:
            break
    return None


_OF_TWO: tuple[Kind, ...] = ("listing", "completion", "identity", "query")
"""What has one other way to be."""


def _world(reference: Reference, kind: Kind, number: int) -> World:
    """Return what builds a world in which one source is the `number`th other one; 0 for itself."""
    scenario, seed = reference.scenario, reference.seed
    later = number * LATER if kind == "clock" else timedelta(0)
    other_seed = seed + number if kind == "randomness" else seed
    is_over = kind == "query" and number > 0

    @contextmanager
    def world() -> Iterator[None]:
        with (
            otherwise.temporary_names(other_seed),
            otherwise.as_the_run_left_it(scenario, seed)
            if is_over
            else world_of(scenario, other_seed, later),
            otherwise.changed(kind, number) if kind in otherwise.CHANGES else nullcontext(),
        ):
            yield

    return world


def _traces(reference: Reference, beat: Callable[[], None], world: World) -> list[Trace]:
    traces = []
    with world():
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
