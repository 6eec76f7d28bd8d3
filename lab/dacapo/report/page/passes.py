"""Passes of a handler: watched while a scenario runs, or replayed from a history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from aws_durable_execution_sdk_python.lambda_service import Operation, OperationType

from dacapo.history.rebuild import operation_states, operations_after
from dacapo.history.recording import Recording
from dacapo.history.replay_log import Log
from dacapo.process.source_lines import Place
from dacapo.report.page.effects import Sighting, Sightings
from dacapo.report.page.lines import LineTracer, Traced, code_of
from dacapo.report.page.model import Source
from dacapo.scenario import Scenario
from dacapo.sdk.replayer import Trace, replay
from dacapo.service.events import Event
from dacapo.service.execution import Invocation, InvocationStatus
from dacapo.service.invocations import Conditions
from dacapo.simulation import runner
from dacapo.simulation.simulation import world_of
from dacapo.verify.observe.misplaced import Position
from dacapo.verify.observe.run import Probes

MOST_TRACED = 60
"""Invocations of an execution whose lines are traced."""


@dataclass(frozen=True)
class Watched:
    """A recording, and what was seen of the handler while it was made, or replayed.

    Parameters:
        recording: the execution.
        passes: for each of its invocations, what ran; None if the body was not called.
        places: the line that starts each operation, by its ID.
        effects: what the world saw; None if that is not known.
        source: the handler's source; None if that is not known.
        error_line: the line that raised the handler's error, if it is in the source.
    """

    recording: Recording
    passes: Sequence[Traced | None] = ()
    places: dict[str, int] = field(default_factory=dict)
    effects: Sequence[Sighting] | None = None
    source: Source | None = None
    error_line: int | None = None


def watch(scenario: Scenario, *, seed: int = runner.DEFAULT_SEED) -> Watched:
    """Run a scenario, and watch each line of its handler.

    Unlike `dacapo.run`, it returns the recording of an execution that nothing ever resumes.

    Parameters:
        scenario: the scenario.
        seed: as for `dacapo.run`.

    Raises:
        ScenarioError, NetworkRefused, HandlerStuck: see `dacapo.run`.
    """
    body, position = code_of(scenario.handler), Position()
    recording = _run(scenario, seed, Probes(position))
    if body is None:
        return Watched(recording)
    # The first run says how many invocations there are: to trace lines costs several times a run.
    tracer = LineTracer(body, chosen(len(recording.invocations)))
    position = Position()
    effects = Sightings(position, tracer)
    with effects.collecting(), tracer.tracing():
        recording = _run(scenario, seed, Probes(tracer, position, effects))
    traced = tracer.invocations.get(recording.arn, [])
    failed_at = recording.failed_at
    return Watched(
        recording,
        _matched(recording, traced),
        {key: line for (arn, key), line in tracer.places.items() if arn == recording.arn},
        effects.sightings,
        source_of(tracer, traced, "run"),
        failed_at.line if failed_at and failed_at.file == tracer.map.file else None,
    )


def chosen(count: int) -> set[int]:
    """Return the indexes of the invocations whose lines are traced: all, or a share with both ends.

    Parameters:
        count: number of invocations.
    """
    ends = [*range(MOST_TRACED // 3), *range(max(0, count - MOST_TRACED // 3), count)]
    between = (round(n * count / (MOST_TRACED // 3)) for n in range(MOST_TRACED // 3))
    return set(range(count)) if count <= MOST_TRACED else {*ends, *between}


def _run(scenario: Scenario, seed: int, probe: Probes) -> Recording:
    return runner.run_under(Conditions(probe=probe), scenario, seed=seed, needs_answers=True)


def _matched(recording: Recording, traced: Sequence[Traced]) -> list[Traced | None]:
    """Return what ran in each invocation; a decorator may have answered instead of the body."""
    waiting = list(traced)
    return [
        waiting.pop(0) if waiting and waiting[0].started == invocation.started else None
        for invocation in recording.invocations
    ]


def source_of(
    tracer: LineTracer, traced: Sequence[Traced], origin: str, divergence: str = ""
) -> Source:
    """Return the source of a handler: its function, and those of its file that ran."""
    ran = {line for one in traced for line in one.lines}
    blocks = tracer.map.blocks(tracer.body, ran)
    return Source(str(Place(tracer.map.file, 0)).rpartition(":")[0], origin, blocks, divergence)


def replayed(recording: Recording, scenario: Scenario) -> Watched:
    """Replay each invocation of a recorded history with a handler, and watch its lines.

    No step runs, and nothing is sent: the handler reads back what each invocation had done when it
    ended. So the lines are those of the handler as it is now.

    Parameters:
        recording: the history; one that can be replayed.
        scenario: the handler, and the world that answers it.

    Raises:
        HistoryError: the history cannot be replayed, because a payload is missing.
    """
    body = code_of(scenario.handler)
    if body is None:
        return Watched(recording)
    tracer, log = LineTracer(body), Log.of(recording)
    wanted = chosen(len(recording.invocations))
    divergence, passes = "", list[Traced | None]()
    with world_of(scenario, 0), tracer.tracing():
        for number, (invocation, operations) in enumerate(_ends_of_passes(recording)):
            if number not in wanted:
                passes.append(Traced(invocation.started, is_traced=False, reads=None))
                continue
            before = len(tracer.invocations.get("", ()))
            trace = replay(scenario.handler, log.arn, operations, log.polls, watcher=tracer)
            divergence = divergence or _divergence(trace, invocation)
            passes.append(next(iter(tracer.invocations.get("", [])[before:]), None))
    return Watched(
        recording,
        passes,
        {key: line for (_, key), line in tracer.places.items()},
        source=source_of(tracer, [one for one in passes if one], "replay", divergence),
    )


def _ends_of_passes(recording: Recording) -> Iterator[tuple[Invocation, list[Operation]]]:
    """Yield each invocation, and the operations that the handler had at its end."""
    states = operation_states(recording.events)
    counts = list(_counts(recording.events))
    for invocation in recording.invocations:
        count = counts[invocation.events_after if invocation.ended else -1]
        has_end = count > 1 and states[count - 1].operation_type is OperationType.EXECUTION
        yield invocation, operations_after(states[: count - 1 if has_end else count])


def _counts(events: Sequence[Event]) -> Iterator[int]:
    """Yield how many states there are before each event; one that is retried has one more."""
    count, pending = 0, set[str]()
    yield count
    for event in events:
        if event.meaning is not None:
            key = event.operation_id or ""
            count += 1 + (key in pending)
            pending.discard(key)
            if event.retry_delay is not None:
                pending.add(key)
        yield count


def _divergence(trace: Trace, invocation: Invocation) -> str:
    """Return what a handler does otherwise than its invocation did; "" for nothing."""
    if trace.divergences:
        return trace.divergences[0].message
    error = (trace.output or {}).get("Error") or {}
    if trace.error is not None:
        error = {"ErrorType": type(trace.error).__name__, "ErrorMessage": str(trace.error)}
    if not error or invocation.error is not None or invocation.status is InvocationStatus.FAILED:
        return ""
    return f"it raises {error.get('ErrorType')}: {error.get('ErrorMessage')}"
