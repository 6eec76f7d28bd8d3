"""Files with histories that were fetched from AWS: what they hold, and what is left out of them.

One file holds one execution, whole: it is written under another name and renamed, so a file that is
there is complete, and an interrupted download goes on after it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from dacapo.errors import HistoryError
from dacapo.history.events import values_of

FORMAT = 1
"""Version of the file's own members; it changes if one of them changes its meaning or goes."""
Redaction = Callable[[str, str], str]
"""Takes a text and the name of its operation, "" for the execution; returns what is written."""

_ARN = re.compile(
    r"arn:[^:]+:lambda:[^:]+:\d{12}:function:(?P<function>[^:/]+):(?P<version>[^:/]+)"
    r"/durable-execution/(?P<name>[^:/]+)/(?P<id>[^:/]+)"
)
_EXECUTION = (
    *("DurableExecutionArn", "DurableExecutionName", "FunctionArn", "Version", "Status"),
    *("StartTimestamp", "EndTimestamp", "ExpectedExecutionTimeoutTimestamp"),
)
"""Members of GetDurableExecution that are kept; none of them is data."""
_EVENT = ("EventType", "SubType", "EventId", "Id", "Name", "EventTimestamp", "ParentId")
_SHAPE = (
    *("Duration", "ScheduledEndTimestamp", "ExecutionTimeout", "Timeout", "HeartbeatTimeout"),
    *("RetryDetails", "FunctionName", "ExecutedVersion", "StartTimestamp", "EndTimestamp"),
)
"""Members of an event's details that hold no data. A member that is not here is data, also one
that a later version of the API adds."""
_TEXTS = ("Payload", "ErrorMessage", "ErrorData", "StackTrace", "Reason", "TenantId")
"""Members of an event's details, at any depth, that hold the user's data."""
_CALLBACK_ID = "CallbackId"


class Data(StrEnum):
    """The data that a file holds."""

    ALL = "all"
    REDACTED = "redacted"
    NONE = "none"


@dataclass(frozen=True)
class Identity:
    """An execution, as its ARN names it.

    Parameters:
        version: the version of the function that runs it, or `$LATEST`.
        id: the service's; a name can be used again.
    """

    arn: str
    function: str
    version: str
    name: str
    id: str

    @classmethod
    def of(cls, arn: str) -> Identity:
        """Parse an ARN.

        Raises:
            HistoryError: it is not the ARN of a durable execution.
        """
        match = _ARN.fullmatch(arn)
        if match is None:
            raise HistoryError(f"{arn!r} is not the ARN of a durable execution")
        return cls(arn, **match.groupdict())

    @property
    def file_name(self) -> str:
        """The name of its file: function, version, name and ID, which hold no dots."""
        version = self.version.replace("$", "").replace(".", "-")
        return f"{self.function}.{version}.{self.name}.{self.id}.json"


class Folder:
    """The directory that histories are written to.

    Parameters:
        path: the directory; it is made if it does not exist.
        data: which data the files hold.
        redact: replaces each text of the user's, if `data` is REDACTED.

    Raises:
        HistoryError: the directory can't be made.
    """

    def __init__(self, path: Path, data: Data, redact: Redaction | None = None) -> None:
        self.path = path
        self.data = data
        self._redact = redact
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HistoryError(f"{path} can't be made: {error.strerror}") from error

    def holds(self, execution: Identity) -> bool:
        """Return whether the execution's file is there, whole.

        Raises:
            HistoryError: it is there, and holds more or less data than asked for, or can't be read.
        """
        path = self.path / execution.file_name
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError, RecursionError):
            return False  # what something else cut off or wrote is written again
        except OSError as error:
            raise HistoryError(f"{path} can't be read: {error.strerror}") from error
        data = content.get("Data") if isinstance(content, dict) else None
        if data != self.data:
            raise HistoryError(
                f"{path} holds other data ({data}) than asked for ({self.data}): give another "
                "directory"
            )
        return True

    def save(
        self, identity: Identity, execution: Mapping[str, Any], events: Sequence[dict[str, Any]]
    ) -> None:
        """Write an execution's file, all of it or nothing.

        Parameters:
            execution: the answer of GetDurableExecution.
            events: its history, as GetDurableExecutionHistory returns it.

        Raises:
            HistoryError: the file can't be written, or the redaction fails.
        """
        content = {
            "Format": FORMAT,
            "Data": self.data,
            "FunctionName": identity.function,
            "Version": identity.version,
            "Execution": {name: execution[name] for name in _EXECUTION if name in execution},
            "Events": [self._event(event) for event in events],
        }
        path = self.path / identity.file_name
        draft = path.with_name(f".{os.getpid()}.part")
        try:
            draft.write_text(json.dumps(values_of(content), indent=1) + "\n", encoding="utf-8")
            draft.replace(path)
        except OSError as error:
            raise HistoryError(f"{path} can't be written: {error.strerror}") from error
        finally:
            draft.unlink(missing_ok=True)

    def _event(self, event: dict[str, Any]) -> dict[str, Any]:
        if self.data is Data.NONE:
            return shape_of(event)
        return event if self._redact is None else redacted(event, self._redact)


def shape_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event without data: no payload, result, error, reason or callback ID."""
    member = f"{event['EventType']}Details"
    details = event.get(member) or {}
    shape = {name: event[name] for name in _EVENT if name in event}
    return shape | {member: {name: details[name] for name in _SHAPE if name in details}}


def redacted(event: Mapping[str, Any], redact: Redaction) -> dict[str, Any]:
    """Return an event with each text of the user's replaced, and without its callback ID.

    A replay needs some ID, so the operation's own stands in for it: no external system has sent it.

    Raises:
        HistoryError: `redact` fails, or returns something that is not a text.
    """
    operation = event.get("Name") or ""

    def replace(value: Any, member: str) -> Any:
        match value:
            case dict():
                return {name: replace(part, name) for name, part in value.items()}
            case list():
                return [replace(part, member) for part in value]
            case str() if member == _CALLBACK_ID:
                return f"redacted-{event.get('Id', '')}"
            case str() if member in _TEXTS:
                return _redacted_text(redact, value, operation)
            case _:
                return value

    return {name: replace(part, name) for name, part in event.items()}


def _redacted_text(redact: Redaction, text: str, operation: str) -> str:
    where = f"operation {operation!r}" if operation else "the execution"
    try:
        replacement: object = redact(text, operation)
    except Exception as error:  # noqa: BLE001 - it is the user's function
        # Its message may quote the text, and so may its traceback.
        kind = type(error).__name__
        raise HistoryError(f"the redaction raised {kind} for a text of {where}") from None
    if not isinstance(replacement, str):
        kind = type(replacement).__name__
        raise HistoryError(f"the redaction returned a {kind} for {where}, not a str")
    return replacement
