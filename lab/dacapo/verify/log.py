"""A history, and what it says of each operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from aws_durable_execution_sdk_python.lambda_service import Operation, OperationType

from dacapo.history import retry_of
from dacapo.recording import Recording
from dacapo.replay import Trace, replay
from dacapo.service.events import Event
from dacapo.service.functions import Handler
from dacapo.versions import state_after, versions


@dataclass(frozen=True)
class Log:
    """A history to replay from.

    Parameters:
        events: with their data, from the start.
        output: what the handler returned, JSON; None if it failed or has not ended.
        is_complete: whether the handler is to do all this and no more. An execution that has not
            ended goes on, and code that is newer than the history may.
    """

    arn: str
    events: Sequence[Event]
    output: str | None
    is_complete: bool = True

    @classmethod
    def of(cls, recording: Recording) -> Log:
        """The history of a recording."""
        has_ended = recording.ended is not None
        return cls(recording.arn, recording.events, recording.output, has_ended)

    @cached_property
    def versions(self) -> list[Operation]:
        """What became of the operations, one after the other."""
        made = versions(self.events)
        is_end = made and made[-1].operation_type is OperationType.EXECUTION
        return made[:-1] if is_end and len(made) > 1 else made

    @cached_property
    def final(self) -> dict[str, Operation]:
        """Every operation as it was left."""
        return {version.operation_id: version for version in self.versions}

    @cached_property
    def starts(self) -> dict[str, Event]:
        """The event with which each operation began."""
        return {
            event["Id"]: event
            for event in reversed(self.events)
            if event["EventType"].endswith("Started")
        }

    @cached_property
    def polls(self) -> dict[tuple[str, int], str]:
        """What each poll found, by operation id and attempt."""
        return {
            (version.operation_id, version.step_details.attempt): version.step_details.result
            for version in self.versions
            if version.step_details and version.step_details.result is not None
        }

    @cached_property
    def delays(self) -> dict[tuple[str, int], int]:
        """How long each attempt was followed by a pause, in seconds."""
        return {
            (event["Id"], int(retry["CurrentAttempt"])): int(retry["NextAttemptDelaySeconds"])
            for event in self.events
            if (retry := retry_of(event)).get("NextAttemptDelaySeconds")
        }

    def replay(self, handler: Handler, count: int) -> Trace:
        """Call a handler from the point that the first `count` versions make; see `replay`."""
        return replay(handler, self.arn, state_after(self.versions[:count]), self.polls)
