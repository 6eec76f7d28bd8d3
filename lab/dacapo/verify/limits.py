"""What a run shows to be near a limit, or without one."""

from __future__ import annotations

from collections.abc import Iterator

from aws_durable_execution_sdk_python.lambda_service import (
    Operation,
    OperationSubType,
    OperationType,
)

from dacapo.history import details_of
from dacapo.recording import Recording
from dacapo.scenario import Scenario
from dacapo.service import quotas
from dacapo.verify.effects import Effects
from dacapo.verify.findings import AS_SCHEDULED, PROVED, SUSPECTED, Code, Finding

NEAR = 0.8
"""From this share of a quota on it is reported."""
_UNNAMED_BY_NATURE = (
    OperationSubType.MAP_ITERATION,
    OperationSubType.PARALLEL_BRANCH,
)
"""Operations that the SDK makes without a name unless it is given one."""


def findings(scenario: Scenario, recording: Recording, effects: Effects) -> Iterator[Finding]:
    """Payloads, operations and bytes, names and bounds, as the run shows them."""
    yield from _quotas(recording)
    yield from _payloads(recording, effects)
    yield from _names(recording, effects)
    yield from _timeouts(scenario, recording, effects)


def lacks_name(operation: Operation) -> bool:
    """Whether an operation has no name, and is none that the SDK makes without one."""
    is_execution = operation.operation_type is OperationType.EXECUTION
    return not (operation.name or is_execution or operation.sub_type in _UNNAMED_BY_NATURE)


def _quotas(recording: Recording) -> Iterator[Finding]:
    for code, what, used, limit in (
        (Code.MANY_OPERATIONS, "operations", recording.charged_operations, quotas.OPERATIONS),
        (Code.MANY_BYTES, "bytes", recording.bytes_written, quotas.BYTES_WRITTEN),
    ):
        if used >= NEAR * limit:
            certainty = PROVED if used > limit else SUSPECTED
            message = f"the execution takes {used:,} of {limit:,} {what}"
            yield Finding(code, certainty, message, AS_SCHEDULED)


def _payloads(recording: Recording, effects: Effects) -> Iterator[Finding]:
    for operation in recording.operations:
        size = len((operation.payload or "").encode())
        error = operation.error.message if operation.error else None
        if size > quotas.PAYLOAD_BYTES or (error and "payload" in error and "exceed" in error):
            message = f"{operation.path!r} returns more than {quotas.PAYLOAD_BYTES:,} bytes"
            place = effects.places.get(operation.id)
            yield Finding(Code.PAYLOAD_TOO_LARGE, PROVED, message, AS_SCHEDULED, place)
    refused = recording.error.message if recording.error else None
    if refused and "payload size must be" in refused:
        # Nothing of the batch is stored, not even that the step was started.
        place = next(reversed(effects.places.values()), None)
        message = f"the service refuses it: {refused.rpartition('operation: ')[2]}"
        yield Finding(Code.PAYLOAD_TOO_LARGE, PROVED, message, AS_SCHEDULED, place)


def _names(recording: Recording, effects: Effects) -> Iterator[Finding]:
    unnamed: dict[tuple[str, ...], list[str]] = {}
    for operation in recording.operations:
        if lacks_name(operation.stored):
            unnamed.setdefault((operation.kind, *operation.around), []).append(operation.id)
    for (kind, *_), ids in unnamed.items():
        place = next((effects.places[key] for key in ids if effects.places.get(key)), None)
        message = f"an operation ({kind}) has no name"
        if len(ids) > 1:
            message = f"{len(ids)} operations ({kind}) have no name: they could change places"
        yield Finding(Code.UNNAMED_OPERATION, SUSPECTED, message, AS_SCHEDULED, place)


def _timeouts(scenario: Scenario, recording: Recording, effects: Effects) -> Iterator[Finding]:
    bound = scenario.execution_timeout
    for event in recording.events:
        details, name = details_of(event), event.get("Name") or event.get("SubType")
        place = effects.places.get(event.get("Id", ""))
        if event["EventType"] == "CallbackStarted":
            timeout = details.get("Timeout") or details.get("HeartbeatTimeout")
            if not timeout:
                message = f"callback {name!r} has no timeout"
                yield Finding(Code.UNBOUNDED_WAIT, PROVED, message, AS_SCHEDULED, place)
                continue
        elif event["EventType"] == "WaitStarted":
            timeout = details.get("Duration")
        else:
            continue
        if bound is not None and timeout and timeout >= bound.total_seconds():
            message = (
                f"{name!r} may take {timeout:,} s, the execution {bound.total_seconds():,.0f} s"
            )
            yield Finding(Code.TIMEOUT_TOO_LONG, PROVED, message, AS_SCHEDULED, place)
