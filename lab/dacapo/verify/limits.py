"""Observe what is over a limit, near a limit, or without one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from aws_durable_execution_sdk_python.lambda_service import (
    Operation,
    OperationAction,
    OperationStatus,
    OperationSubType,
    OperationType,
)

from dacapo.history.operations import label_of
from dacapo.history.rebuild import operations_after
from dacapo.history.recording import Recording
from dacapo.history.replay_log import Log
from dacapo.process import source_lines
from dacapo.scenario import Scenario
from dacapo.sdk import replayer
from dacapo.service import quotas
from dacapo.service.execution import Invocation, InvocationStatus
from dacapo.simulation.simulation import world_of
from dacapo.verify.endings import ending_of
from dacapo.verify.findings import Code, Evidence, ExperimentName, Observation
from dacapo.verify.observe.run import Observed

NAME = ExperimentName.REFERENCE_RUN
NEAR = 0.8
"""The share of a quota from which on it is reported."""
_UNNAMED_BY_SDK = (
    OperationSubType.MAP_ITERATION,
    OperationSubType.PARALLEL_BRANCH,
)
"""Operations that the SDK makes without a name unless it is given one."""


def observations(scenario: Scenario, run: Observed) -> Iterator[Observation]:
    """Yield what the reference run shows of quotas, payloads, names and bounds."""
    yield from _quotas(run.recording)
    yield from _payloads(run)
    yield from _names(run)
    yield from _sleeps(run)
    yield from _timeouts(scenario, run)
    yield from _left_running(run)
    yield from _cut_off(scenario, run)


def lacks_name(operation: Operation) -> bool:
    """Return whether an operation lacks a name that its handler could have given it."""
    is_execution = operation.operation_type is OperationType.EXECUTION
    return not (operation.name or is_execution or operation.sub_type in _UNNAMED_BY_SDK)


def _quotas(recording: Recording) -> Iterator[Observation]:
    for code, what, used, limit in (
        (Code.MANY_OPERATIONS, "operations", recording.charged_operations, quotas.OPERATIONS),
        (Code.MANY_BYTES, "bytes", recording.bytes_written, quotas.BYTES_WRITTEN),
    ):
        if used >= NEAR * limit:
            evidence = Evidence.RULE if used > limit else Evidence.NEAR_LIMIT
            message = f"the execution takes {used:,} of {limit:,} {what}"
            yield Observation(code, evidence, message, NAME)


def _payloads(run: Observed) -> Iterator[Observation]:
    for operation in run.recording.operations:
        size = len((operation.payload or "").encode())
        error = operation.error.message if operation.error else None
        if size > quotas.PAYLOAD_BYTES or (error and "payload" in error and "exceed" in error):
            message = f"{operation.path!r} returns more than {quotas.PAYLOAD_BYTES:,} bytes"
            place = run.places.get(operation.id)
            yield Observation(Code.PAYLOAD_TOO_LARGE, Evidence.RULE, message, NAME, place)
    refused = run.recording.error.message if run.recording.error else None
    if refused and "payload size must be" in refused:
        # Nothing of the batch is stored, not even that the step was started.
        place = next(reversed(run.places.values()), None)
        message = f"the service refuses it: {refused.rpartition('operation: ')[2]}"
        yield Observation(Code.PAYLOAD_TOO_LARGE, Evidence.RULE, message, NAME, place)


def _names(run: Observed) -> Iterator[Observation]:
    unnamed: dict[tuple[str, ...], list[str]] = {}
    for operation in run.recording.operations:
        if lacks_name(operation.stored):
            unnamed.setdefault((operation.kind, *operation.around), []).append(operation.id)
    for (kind, *_), ids in unnamed.items():
        place = next((run.places[key] for key in ids if run.places.get(key)), None)
        message = f"an operation ({kind}) has no name"
        if len(ids) > 1:
            message = (
                f"{len(ids)} operations ({kind}) have no name: two of them could swap unnoticed"
            )
        yield Observation(Code.UNNAMED_OPERATION, Evidence.LINT, message, NAME, place)


def _sleeps(run: Observed) -> Iterator[Observation]:
    for place, count in Counter(run.sleeps).items():
        times = "once" if count == 1 else f"{count} times"
        message = f"the handler sleeps outside every step, {times}, for every replay does it again"
        yield Observation(Code.SLEEP_OUTSIDE_STEP, Evidence.LINT, message, NAME, place)


def _timeouts(scenario: Scenario, run: Observed) -> Iterator[Observation]:
    bound = scenario.execution_timeout
    for event in run.recording.events:
        details, name = event.details, event.name or event.sub_type
        place = run.places.get(event.operation_id or "")
        if event.type == "CallbackStarted":
            timeout = details.get("Timeout") or details.get("HeartbeatTimeout")
            if not timeout:
                message = f"callback {name!r} has no timeout"
                yield Observation(Code.UNBOUNDED_WAIT, Evidence.LINT, message, NAME, place)
                continue
        elif event.type == "WaitStarted":
            timeout = details.get("Duration")
        else:
            continue
        if bound is not None and timeout and timeout >= bound.total_seconds():
            message = (
                f"{name!r} may take {timeout:,} s, the execution {bound.total_seconds():,.0f} s"
            )
            yield Observation(Code.TIMEOUT_TOO_LONG, Evidence.RULE, message, NAME, place)


def _left_running(run: Observed) -> Iterator[Observation]:
    for (arn, batch), limit in run.limits.items():
        if arn != run.recording.arn:
            continue
        invokes = list(_invokes_in(batch, run.recording))
        most = max((_branches_at(at, invokes) for _, at, _ in invokes), default=set(), key=len)
        if len(most) > limit:
            message = (
                f"{run.paths[batch]!r} is limited to {limit} branches at a time, and {len(most)} "
                "of them have invokes in flight at once"
            )
            place = run.places.get(batch)
            yield Observation(Code.INVOKES_LEFT_RUNNING, Evidence.RULE, message, NAME, place)


_Invoke = tuple[str, datetime, datetime | None]
"""The branch that an invoke is in, its start, and its end; None if it was left running."""


def _invokes_in(batch: str, recording: Recording) -> Iterator[_Invoke]:
    parents = {o.id: o.stored.parent_id for o in recording.operations}
    for operation in recording.operations:
        stored = operation.stored
        if stored.operation_type is not OperationType.CHAINED_INVOKE or not stored.start_timestamp:
            continue
        branch: str | None = operation.id
        while branch and parents.get(branch) != batch:
            branch = parents.get(branch)
        if branch:
            yield branch, stored.start_timestamp, stored.end_timestamp


def _branches_at(at: datetime, invokes: Sequence[_Invoke]) -> set[str]:
    """Return the branches with an invoke in flight at a time; one that ends then is not."""
    return {branch for branch, start, end in invokes if start <= at and (end is None or end > at)}


def _cut_off(scenario: Scenario, run: Observed) -> Iterator[Observation]:
    counts = Counter(
        (invocation.status, _reason(invocation), step)
        for invocation in run.cut_off
        for step in _running_at(invocation, run.recording) or [""]
    )
    has_failed = run.recording.status == "FAILED"
    for (status, reason, step), count in counts.items():
        where = f"in {run.paths[step]!r}" if step else "outside every step"
        ends = "1 invocation ends" if count == 1 else f"{count} invocations end"
        place = run.places.get(step) or source_lines.of_function(scenario.handler)
        code, evidence = Code.DIED, Evidence.RULE
        if status is InvocationStatus.TIMED_OUT:
            code = Code.INVOCATION_TIMED_OUT
            # Nobody may have expected it: then nothing is known, and the ending says so.
            is_expected = has_failed and ending_of(scenario, run.recording).is_expected
            evidence = Evidence.RULE if is_expected else Evidence.SIGHTING
        yield Observation(code, evidence, f"{ends} {where}: {reason}", NAME, place)


def _reason(invocation: Invocation) -> str:
    message = (invocation.error and invocation.error.message) or ""
    return message.partition(" Error: ")[2]  # before it is the request ID


def _running_at(invocation: Invocation, recording: Recording) -> list[str]:
    """Return the IDs of the steps that had begun and not ended when an invocation did."""
    last = {event.operation_id: event for event in recording.events[: invocation.events_after]}
    begun = {key for key, event in last.items() if event.is_start}
    steps = (o for o in recording.operations if o.stored.operation_type is OperationType.STEP)
    return [step.id for step in steps if step.id in begun]


def unbounded_polls(
    scenario: Scenario,
    seed: int,
    log: Log,
    run: Observed,
    beat: Callable[[], None] = lambda: None,
) -> Iterator[Observation]:
    """Yield the polls that only the end of the execution would end.

    Parameters:
        beat: is called before each replay.
    """
    pending = {v.operation_id: n for n, v in enumerate(log.states, 1) if is_pending_poll(v)}
    for key, count in pending.items():
        beat()
        if not _goes_on(scenario, seed, log, count):
            continue
        poll = log.states[count - 1]
        was_ended = _was_ended_in(run.recording, key)
        message = f"{label_of(poll)!r} is still polled at attempt {quotas.OPERATIONS:,}"
        if was_ended:
            message += f"; the execution ended as {run.recording.status} before that"
        place = run.places.get(key)
        yield Observation(Code.UNBOUNDED_WAIT, Evidence.LINT, message, NAME, place)


def is_pending_poll(version: Operation) -> bool:
    """Return whether an operation is a poll that waits for its next attempt."""
    is_poll = version.sub_type == OperationSubType.WAIT_FOR_CONDITION
    return is_poll and version.status is OperationStatus.PENDING


def _was_ended_in(recording: Recording, key: str) -> bool:
    (operation,) = (o for o in recording.operations if o.id == key)
    return recording.status != "SUCCEEDED" and operation.status in ("PENDING", "READY", "STARTED")


def _goes_on(scenario: Scenario, seed: int, log: Log, count: int) -> bool:
    """Return whether the poll wants another attempt after the last that the quota allows."""
    poll = log.states[count - 1]
    details = poll.step_details
    if details is None or details.result is None:
        return False
    last = replace(details, attempt=quotas.OPERATIONS - 1)
    ready = replace(poll, status=OperationStatus.READY, step_details=last)
    polls = {(poll.operation_id, quotas.OPERATIONS): details.result}
    state = operations_after([*log.states[:count], ready])
    with world_of(scenario, seed):
        trace = replayer.replay(scenario.handler, log.arn, state, polls)
    return any(
        attempt.update.operation_id == poll.operation_id
        and attempt.update.action is OperationAction.RETRY
        for attempt in trace.attempts
    )
