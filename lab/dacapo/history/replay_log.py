"""A history prepared for replay, indexed by operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from aws_durable_execution_sdk_python.lambda_service import Operation, OperationType

from dacapo.history.rebuild import operation_states, operations_after
from dacapo.history.recording import Recording
from dacapo.sdk.replayer import Trace, replay
from dacapo.service.events import Event
from dacapo.service.functions import Handler


@dataclass(frozen=True)
class Log:
    """A history to replay.

    Parameters:
        arn: ARN of the execution.
        events: all events from the start, with their data.
        output: the handler's result as JSON; None if it failed or has not ended.
        is_complete: whether the handler must do exactly what is recorded. A running execution
            continues past the end of its history, and so may code that is newer than the history.
        frozen_results: what serializers of the handler's own gave when it was recorded, by
            operation ID; see `sdk.serializers`.
        version: the version of the function that the execution runs on, a number or `$LATEST`; ""
            if that is not known.
    """

    arn: str
    events: Sequence[Event]
    output: str | None
    is_complete: bool = True
    frozen_results: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    version: str = ""

    @classmethod
    def of(cls, recording: Recording, frozen_results: Mapping[str, bytes] | None = None) -> Log:
        """Return the history of a recording."""
        has_ended = recording.ended is not None
        return cls(
            recording.arn, recording.events, recording.output, has_ended, frozen_results or {}
        )

    @property
    def has_ended(self) -> bool:
        """True if the execution is over, rather than in flight."""
        return any(event.is_end for event in reversed(self.events))

    @cached_property
    def states(self) -> list[Operation]:
        """The state of an operation after each event, in order."""
        states = operation_states(self.events)
        is_end = states and states[-1].operation_type is OperationType.EXECUTION
        return states[:-1] if is_end and len(states) > 1 else states

    @cached_property
    def final(self) -> dict[str, Operation]:
        """Each operation in its last state, by ID."""
        return {state.operation_id: state for state in self.states}

    @cached_property
    def starts(self) -> dict[str, Event]:
        """The first start event of each operation, by ID."""
        return {
            event.operation_id: event
            for event in reversed(self.events)
            if event.operation_id is not None and event.is_start
        }

    @cached_property
    def polls(self) -> dict[tuple[str, int], str]:
        """The stored result of each poll, by operation ID and attempt."""
        return {
            (state.operation_id, state.step_details.attempt): state.step_details.result
            for state in self.states
            if state.step_details and state.step_details.result is not None
        }

    @cached_property
    def delays(self) -> dict[tuple[str, int], int]:
        """The delay after each attempt in seconds, by operation ID and attempt."""
        return {
            (event.operation_id, int(event.retry["CurrentAttempt"])): event.retry_delay
            for event in self.events
            if event.operation_id is not None and event.retry_delay
        }

    def replay(self, handler: Handler, count: int) -> Trace:
        """Replay a handler from the point after the first `count` states; see `replay`."""
        state = operations_after(self.states[:count])
        return replay(handler, self.arn, state, self.polls, self.frozen_results)
