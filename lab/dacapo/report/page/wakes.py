"""Why Lambda invoked a handler: what ended, came, or was due since its last invocation."""

from __future__ import annotations

from collections.abc import Iterator

from dacapo.history.recording import Recording
from dacapo.service.callbacks import Delivery, DeliveryKind
from dacapo.service.events import Event
from dacapo.service.execution import InvocationStatus

_AT_ONCE = "something ended before the handler was suspended"


class Wakes:
    """Says what woke each invocation of a recording."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._labels = {one.id: one.label for one in recording.operations}
        self._kinds = {one.id: one.kind for one in recording.operations}
        self._pending = self._retries()
        self._answers = {
            delivery.operation_id: delivery
            for delivery in recording.deliveries
            if delivery.kind is not DeliveryKind.HEARTBEAT and delivery.refused is None
        }

    def of(self, number: int) -> tuple[str | None, str]:
        """Return the ID of the operation that woke an invocation, and why, in words.

        Parameters:
            number: index of the invocation; call this for each one in turn.
        """
        if number == 0:
            return None, "the execution started"
        invocations = self._recording.invocations
        before, current = invocations[number - 1], invocations[number]
        if before.status in (InvocationStatus.DIED, InvocationStatus.TIMED_OUT):
            return None, f"the invocation before it {before.status.value.lower().replace('_', ' ')}"
        between = self._recording.events[before.events_after : current.events_before]
        for event in reversed(between):
            why = self._reason(event)
            if why:
                return event.operation_id, why
        key = next(self._due(number), None)
        return (key, self._retry(key)) if key else (None, _AT_ONCE)

    def _reason(self, event: Event) -> str:
        label = self._labels.get(event.operation_id or "", "")
        match event.type:
            case "WaitSucceeded":
                return f"wait {label!r} elapsed"
            case "CallbackSucceeded" | "CallbackFailed":
                delivery = self._answers.get(event.operation_id or "")
                return f"callback {label!r} was answered{_by(delivery)}"
            case "CallbackTimedOut":
                return f"callback {label!r} timed out"
            case "ExecutionResumed":
                return "somebody resumed the execution"
            case kind if kind.startswith("ChainedInvoke") and not event.is_start:
                return f"invoke {label!r} ended"
        return ""

    def _retry(self, key: str) -> str:
        is_poll = self._kinds.get(key) == "WaitForCondition"
        return f"{'the next poll' if is_poll else 'the retry'} of {self._labels.get(key)!r} was due"

    def _retries(self) -> list[list[str]]:
        """Return the operations whose retry was scheduled in each invocation."""
        invocations, events = self._recording.invocations, self._recording.events
        return [
            [
                event.operation_id
                for event in events[one.events_before : one.events_after]
                if event.retry_delay is not None and event.operation_id
            ]
            for one in invocations
        ]

    def _due(self, number: int) -> Iterator[str]:
        current = self._recording.invocations[number]
        after = self._recording.events[current.events_before : current.events_after]
        touched = {event.operation_id for event in after}
        waiting = [key for keys in self._pending[max(0, number - _BACK) : number] for key in keys]
        yield from (key for key in reversed(waiting) if key in touched)


_BACK = 20
"""Invocations within which a retry that is due was scheduled: branches wake the handler, too."""


def _by(delivery: Delivery | None) -> str:
    return f" by {delivery.by}" if delivery and delivery.by else ""
