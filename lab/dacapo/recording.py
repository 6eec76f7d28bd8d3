"""What one execution did: the result of a run, saved and loaded again without loss."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from cattrs.preconf.json import make_converter

from dacapo import history, metering
from dacapo.history import retry_of
from dacapo.recorded import RecordedOperation
from dacapo.service.callbacks import Delivery
from dacapo.service.calls import Call
from dacapo.service.events import Event
from dacapo.service.execution import Invocation

_converter = make_converter()


class NoSuchOperation(LookupError):  # noqa: N818 - reads as what it says
    """The execution has no operation of this name, or several."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One execution from its start to its end.

    Parameters:
        scenario: the scenario's name.
        engine: what ran it: `sim` or `sdk`.
        seed: what everything random in it was made from.
        arn, function, status, payload, output, error: the execution as GetDurableExecution
            tells it; `payload` and `output` are JSON.
        started, ended: virtual times; `ended` is None if it had not ended when the run did.
        events: its history, in the shape of GetDurableExecutionHistory.
        operations: its operations, in the order in which they were started.
        invocations: the calls of its handler.
        deliveries: the calls of the callback API that concerned it.
        calls: the calls of plain functions, in the whole run.
        dead_letters: those of them that were asynchronous, and failed to the last.
        others: the other executions of the run.
        charged_operations, bytes_written, updates: what the service counted.
        world: what the scenario's world yielded; neither saved nor compared.
    """

    scenario: str
    engine: str
    seed: int
    arn: str
    function: str
    status: str
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

    @property
    def result(self) -> Any:
        """What the handler returned; None if it failed."""
        return None if self.output is None else json.loads(self.output)

    @property
    def virtual_seconds(self) -> float:
        """Virtual time from the start to the end, in seconds."""
        return ((self.ended or self.started) - self.started).total_seconds()

    @property
    def bill(self) -> metering.Bill:
        """What this execution costs on AWS."""
        return metering.bill(
            operations=self.charged_operations,
            bytes_written=self.bytes_written,
            invocations=len(self.invocations),
        )

    def operation(self, name: str) -> RecordedOperation:
        """The operation of this name, or at this path.

        Raises:
            NoSuchOperation: there is none, or more than one.
        """
        found = self.operations_named(name)
        if len(found) == 1:
            return found[0]
        if found:
            paths = ", ".join(repr(operation.path) for operation in found)
            raise NoSuchOperation(f"{len(found)} operations are named {name!r}: {paths}")
        known = ", ".join(repr(operation.path) for operation in self.operations) or "none"
        raise NoSuchOperation(f"no operation is named {name!r}; there are: {known}")

    def operations_named(self, name: str) -> list[RecordedOperation]:
        """The operations of this name, or at this path; a name may occur in several contexts."""
        return [o for o in self.operations if name in (o.name, o.path)]

    def replayed_in(self, invocation: Invocation) -> list[RecordedOperation]:
        """The finished operations that an invocation was given to read back."""
        over = {event["Id"] for event in self._ends(self.events[: invocation.events_before])}
        hidden = {o.id for o in self.operations if o.id in over and not _keeps_children(o)}
        return [
            operation
            for operation in self.operations
            if operation.id in over and not hidden.intersection(self._ancestors(operation))
        ]

    def done_in(self, invocation: Invocation) -> list[RecordedOperation]:
        """The operations that an invocation started, tried again or ended."""
        events = self.events[invocation.events_before : invocation.events_after]
        touched = {event.get("Id") for event in events}
        return [operation for operation in self.operations if operation.id in touched]

    def save(self, path: Path | str) -> None:
        """Write the recording as JSON: `{history, operations, meta}`; whole or not at all."""
        path = Path(path)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(self.to_json(), indent=1) + "\n")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path | str) -> Recording:
        """Read a recording that `save` wrote.

        Raises:
            OSError: the file can't be read.
            ValueError: it holds no recording.
        """
        try:
            return cls.from_json(json.loads(Path(path).read_text()))
        except (KeyError, TypeError, ExceptionGroup) as error:
            raise ValueError(f"{path} holds no recording of dacapo") from error

    def to_json(self) -> dict[str, Any]:
        """The recording as JSON values."""
        meta = {name: _converter.unstructure(getattr(self, name)) for name in _META}
        return {
            "history": {"Events": history.to_json(self.events)},
            "operations": _converter.unstructure(self.operations),
            "meta": meta | {"others": [other.to_json() for other in self.others]},
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Recording:
        """The recording that `to_json` gave."""
        meta = saved["meta"]
        return cls(
            events=history.from_json(saved["history"]["Events"]),
            operations=_converter.structure(saved["operations"], list[RecordedOperation]),
            others=[cls.from_json(other) for other in meta["others"]],
            **{name: _converter.structure(meta[name], kind) for name, kind in _META.items()},
        )

    def _ends(self, events: list[Event]) -> Iterator[Event]:
        for event in events:
            is_retry = "NextAttemptDelaySeconds" in retry_of(event)
            if "Id" in event and not event["EventType"].endswith("Started") and not is_retry:
                yield event

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
    "status": str,
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
"""What is saved under `meta`: the members of a recording that are neither events nor operations."""


def _keeps_children(operation: RecordedOperation) -> bool:
    details = operation.stored.context_details
    return details is not None and details.replay_children
