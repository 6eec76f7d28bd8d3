"""Polls without a bound: would the wait strategy still go on at the last attempt there can be?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from aws_durable_execution_sdk_python.lambda_service import (
    Operation,
    OperationAction,
    OperationStatus,
    OperationSubType,
)

from dacapo import replay
from dacapo.recorded import label_of
from dacapo.recording import Recording
from dacapo.scenario import Scenario
from dacapo.service import quotas
from dacapo.simulation import world_of
from dacapo.verify.findings import AS_SCHEDULED, PROVED, SUSPECTED, Code, Finding
from dacapo.verify.log import Log
from dacapo.verify.observed import Observed
from dacapo.versions import state_after


def findings(scenario: Scenario, seed: int, log: Log, scheduled: Observed) -> Iterator[Finding]:
    """Polls that only the execution's own end would end."""
    pending = {v.operation_id: n for n, v in enumerate(log.versions, 1) if _is_pending_poll(v)}
    for key, count in pending.items():
        if not _goes_on(scenario, seed, log, count):
            continue
        poll = log.versions[count - 1]
        was_ended = _was_ended_in(scheduled.recording, key)
        message = f"{label_of(poll)!r} is still polled at attempt {quotas.OPERATIONS:,}"
        if was_ended:
            message += f"; the execution ended as {scheduled.recording.status} before that"
        place = scheduled.effects.places.get(key)
        certainty = PROVED if was_ended else SUSPECTED
        yield Finding(Code.UNBOUNDED_WAIT, certainty, message, AS_SCHEDULED, place)


def _is_pending_poll(version: Operation) -> bool:
    is_poll = version.sub_type == OperationSubType.WAIT_FOR_CONDITION
    return is_poll and version.status is OperationStatus.PENDING


def _was_ended_in(recording: Recording, key: str) -> bool:
    (operation,) = (o for o in recording.operations if o.id == key)
    return recording.status != "SUCCEEDED" and operation.status in ("PENDING", "READY", "STARTED")


def _goes_on(scenario: Scenario, seed: int, log: Log, count: int) -> bool:
    """Whether the poll wants another attempt after the last one that the quota allows."""
    poll = log.versions[count - 1]
    details = poll.step_details
    if details is None or details.result is None:
        return False
    last = replace(details, attempt=quotas.OPERATIONS - 1)
    ready = replace(poll, status=OperationStatus.READY, step_details=last)
    polls = {(poll.operation_id, quotas.OPERATIONS): details.result}
    state = state_after([*log.versions[:count], ready])
    with world_of(scenario, seed):
        trace = replay.replay(scenario.handler, log.arn, state, polls)
    return any(
        attempt.update.operation_id == poll.operation_id
        and attempt.update.action is OperationAction.RETRY
        for attempt in trace.attempts
    )
