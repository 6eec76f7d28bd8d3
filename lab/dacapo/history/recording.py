"""Recordings: everything that one execution did, saved and loaded without loss."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from cattrs.preconf.json import make_converter

from dacapo import metering
from dacapo.errors import OperationNotFound
from dacapo.history import events
from dacapo.history.operations import RecordedOperation
from dacapo.process.source_lines import Place
from dacapo.service.callbacks import Delivery
from dacapo.service.calls import Call
from dacapo.service.events import Event
from dacapo.service.execution import ExecutionStatus, Invocation

_converter = make_converter()


@dataclass(frozen=True)
class Cause:
    """An exception that made an operation fail, and with it the execution.

    Parameters:
        name: the name of its class.
        place: the line of the user's code that raised it.
    """

    name: str
    place: Place | None


@dataclass(frozen=True)
class BrokenInvariant:
    """A scenario's invariant that does not hold after a run.

    Parameters:
        message: what does not hold.
        place: the line that says so; None if the invariant returned False.
    """

    message: str
    place: Place | None = None

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.message} ({self.place})" if self.place else self.message


@dataclass(frozen=True)
class FailedCall:
    """One attempt of a call of AWS that an outage failed.

    Parameters:
        at: virtual time.
        service, operation: as botocore has them: `dynamodb` and `PutItem`, for example.
        kind: how it failed; see `OutageKind`.
    """

    at: datetime
    service: str
    operation: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One execution, from its start to its end.

    Parameters:
        scenario: the scenario's name.
        engine: the engine that ran it: `sim` or `sdk`.
        seed: the seed of the run.
        arn, function, status, payload, output, error: the execution, as GetDurableExecution
            returns it; `payload` and `output` are JSON.
        started, ended: virtual times; `ended` is None if the run ended before the execution.
        events: its history.
        operations: its operations, in the order of their starts.
        invocations: the invocations of its handler.
        deliveries: the calls of the callback API that concern it.
        calls: the calls of plain functions, in the whole run.
        dead_letters: those of them that were asynchronous, and failed in every attempt.
        others: the other executions of the run.
        charged_operations, bytes_written, updates: the service's counters.
        world: the value that the scenario's world yielded; neither saved nor compared, as what
            follows.
        failed_calls: the attempts that outages failed in the whole run, in order, with those that
            the client made again by itself.
        failed_at: the line of the user's code that raised the handler's error; None if it has none.
        cause: the exception in an operation that the handler's error stands for; None if it is the
            handler's own.
        broken_invariant: how the scenario's invariant is broken; None if it holds.
    """

    scenario: str
    engine: str
    seed: int
    arn: str
    function: str
    status: ExecutionStatus
    payload: str
    output: str | None
    error: ErrorObject | None
    started: datetime
    ended: datetime | None
    events: list[Event]
    operations: list[RecordedOperation]
    invocations: list[Invocation]
    deliveries: list[Delivery]
    calls: list[Call] = field(default_factory=list)
    dead_letters: list[Call] = field(default_factory=list)
    others: list[Recording] = field(default_factory=list)
    charged_operations: int
    bytes_written: int
    updates: int
    world: Any = field(default=None, compare=False, repr=False)
    failed_calls: list[FailedCall] = field(default_factory=list, compare=False)
    failed_at: Place | None = field(default=None, compare=False)
    cause: Cause | None = field(default=None, compare=False)
    broken_invariant: BrokenInvariant | None = field(default=None, compare=False)

    @property
    def result(self) -> Any:
        """The handler's result; None if it failed."""
        return None if self.output is None else json.loads(self.output)

    @property
    def virtual_seconds(self) -> float:
        """Virtual time from the start to the end, in seconds."""
        return ((self.ended or self.started) - self.started).total_seconds()

    @property
    def bill(self) -> metering.Bill:
        """The cost of this execution on AWS."""
        return metering.bill(
            operations=self.charged_operations,
            bytes_written=self.bytes_written,
            invocations=len(self.invocations),
        )

    def operation(self, name: str) -> RecordedOperation:
        """Return the operation with this name, or at this path.

        Raises:
            OperationNotFound: there is none, or more than one.
        """
        matches = self.operations_named(name)
        if len(matches) == 1:
            return matches[0]
        if matches:
            paths = ", ".join(repr(operation.path) for operation in matches)
            raise OperationNotFound(f"{len(matches)} operations are named {name!r}: {paths}")
        known = ", ".join(repr(operation.path) for operation in self.operations) or "none"
        raise OperationNotFound(f"no operation is named {name!r}; there are: {known}")

    def operations_named(self, name: str) -> list[RecordedOperation]:
        """Return the operations with this name, or at this path; contexts may repeat a name."""
        return [o for o in self.operations if name in (o.name, o.path)]

    def replayed_in(self, invocation: Invocation) -> list[RecordedOperation]:
        """Return the finished operations that an invocation received for replay."""
        ended = set(_ended_operations(self.events[: invocation.events_before]))
        hidden = {o.id for o in self.operations if o.id in ended and not _keeps_children(o)}
        return [
            operation
            for operation in self.operations
            if operation.id in ended and not hidden.intersection(self._ancestors(operation))
        ]

    def done_in(self, invocation: Invocation) -> list[RecordedOperation]:
        """Return the operations that an invocation started, retried or ended."""
        events = self.events[invocation.events_before : invocation.events_after]
        touched = {event.operation_id for event in events}
        return [operation for operation in self.operations if operation.id in touched]

    def save(self, path: Path | str) -> None:
        """Write the recording as JSON: `{history, operations, meta}`. The write is atomic."""
        path = Path(path)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(self.to_json(), indent=1) + "\n")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path | str) -> Recording:
        """Load a recording that `save` wrote.

        Raises:
            OSError: the file can't be read.
            ValueError: it holds no recording.
        """
        try:
            return cls.from_json(json.loads(Path(path).read_text()))
        except (KeyError, TypeError, ExceptionGroup) as error:
            raise ValueError(f"{path} holds no recording of dacapo") from error

    def to_json(self) -> dict[str, Any]:
        """Convert the recording to JSON values."""
        meta = {name: _converter.unstructure(getattr(self, name)) for name in _META}
        return {
            "history": {"Events": events.to_json(self.events)},
            "operations": _converter.unstructure(self.operations),
            "meta": meta | {"others": [other.to_json() for other in self.others]},
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Recording:
        """Parse a recording from the JSON values of `to_json`."""
        meta = saved["meta"]
        return cls(
            events=events.from_json(saved["history"]["Events"]),
            operations=_converter.structure(saved["operations"], list[RecordedOperation]),
            others=[cls.from_json(other) for other in meta["others"]],
            **{name: _converter.structure(meta[name], kind) for name, kind in _META.items()},
        )

    def _ancestors(self, operation: RecordedOperation) -> Iterator[str]:
        parent_id = operation.stored.parent_id
        while parent_id is not None:
            yield parent_id
            parent_id = self._parents.get(parent_id)

    @cached_property
    def _parents(self) -> dict[str, str | None]:
        return {operation.id: operation.stored.parent_id for operation in self.operations}


_META: dict[str, Any] = {
    "scenario": str,
    "engine": str,
    "seed": int,
    "arn": str,
    "function": str,
    "status": ExecutionStatus,
    "payload": str,
    "output": str | None,
    "error": ErrorObject | None,
    "started": datetime,
    "ended": datetime | None,
    "invocations": list[Invocation],
    "deliveries": list[Delivery],
    "calls": list[Call],
    "dead_letters": list[Call],
    "charged_operations": int,
    "bytes_written": int,
    "updates": int,
}
"""Fields that are saved under `meta`; events, operations and other executions are elsewhere."""


def _keeps_children(operation: RecordedOperation) -> bool:
    details = operation.stored.context_details
    return details is not None and details.replay_children


def _ended_operations(events: Iterable[Event]) -> Iterator[str]:
    for event in events:
        if event.operation_id and not event.is_start and event.retry_delay is None:
            yield event.operation_id
