"""Histories in files: recordings of dacapo, what `dacapo history` fetched, exports of the AWS CLI.

A file may come from anywhere, so anything wrong with one is a single `HistoryError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from dacapo.errors import HistoryError
from dacapo.history.events import from_json
from dacapo.history.recording import Recording
from dacapo.history.replay_log import Log
from dacapo.sdk.installed import writes
from dacapo.service.events import EVENT_TYPES, Event
from dacapo.service.functions import function_arn

EXPORT = "aws lambda get-durable-execution-history --include-execution-data"
DEEPEST = 200
"""Contexts inside each other: a handler in Python has no stack for as many."""
_FORMAT = 1
"""The newest format of `dacapo history` that can be read."""
DAMAGE = (
    *(AttributeError, KeyError, TypeError, ValueError, ArithmeticError),
    *(OSError, RecursionError, ExceptionGroup),
)
"""What it raises to read a number, a time or an object that is not one."""
_ARN_COLONS = 7
_MORE = ("NextMarker", "NextToken")
"""Members of a page that is not the last one."""
_HEAD = 2_000
"""Characters that hold the members of a file before its events."""
_FUNCTION = re.compile(r'"FunctionName"\s*:\s*"([^"]+)"')
_HIGHEST = 2**31 - 1
"""Number of an event (model: EventId, an integer)."""
_TEXTS = ("operation_id", "name", "sub_type", "parent_id")


def load(path: Path) -> Log:
    """Load the history in a file.

    Parameters:
        path: file written by `Recording.save` or `dacapo run --save`, by `dacapo history`, or the
            JSON output of `aws lambda get-durable-execution-history --include-execution-data`.

    Raises:
        HistoryError: it holds no history or only a part of one, a payload is truncated, or another
            SDK wrote it.
    """
    content = content_of(path)
    try:
        log = Log.of(Recording.from_json(content)) if "meta" in content else _of_export(content)
        check_events(log.events)
        _check_writer(log.events)
        _ = log.states  # refuse now what can't be replayed
    except HistoryError as error:
        raise HistoryError(f"{path} {error}") from error
    except DAMAGE as error:
        raise HistoryError(f"{path} holds neither a recording nor a history") from error
    return log


def find(path: Path) -> list[Path]:
    """Return the files with histories: the file itself, or those of a directory, sorted by name.

    Parameters:
        path: a file, or a directory with any number of `.json` files, at any depth.

    Raises:
        HistoryError: it does not exist, or the directory has no such file.
    """
    if not path.is_dir():
        if not path.exists():
            raise HistoryError(f"{path} can't be read: there is no such file or directory")
        return [path]
    # What begins with a dot is not whole yet; see `dacapo history`.
    files = sorted(file for file in path.rglob("*.json") if not file.name.startswith("."))
    if not files:
        raise HistoryError(f"{path} is a directory without histories (*.json)")
    return files


def declared_function(path: Path) -> str:
    """Return the function that the first members of a file name; "" if they don't."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            head = file.read(_HEAD).partition('"Events"')[0]
    except OSError:
        return ""  # `load` says so
    match = _FUNCTION.search(head)
    return match[1] if match else ""


def function_of(path: Path) -> str:
    """Return the name of the function whose history a file holds; "" if the file doesn't say."""
    try:
        content = content_of(path)
    except HistoryError:
        return ""
    meta = content.get("meta")
    name = meta.get("function") if isinstance(meta, dict) else content.get("FunctionName")
    return name if isinstance(name, str) else ""


def content_of(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file: a recording, or a history with all of its pages in one.

    Parameters:
        path: the file; pages of a history are a list, or stand one after the other.

    Raises:
        HistoryError: it can't be read, or holds something else.
    """
    try:
        pages = list(_documents(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise HistoryError(f"{path} can't be read: {error.strerror}") from error
    except RecursionError as error:
        raise HistoryError(f"{path} is nested too deeply to be a history") from error
    except ValueError as error:
        raise HistoryError(f"{path} is not JSON: {error}") from error
    if not all(isinstance(page, dict) for page in pages):
        raise HistoryError(f"{path} holds neither a recording nor a history (a JSON object)")
    first, last = pages[0], pages[-1]
    if first is last:
        return dict(first)
    events = [event for page in pages for event in page.get("Events") or ()]
    rest = {member: last.get(member) for member in _MORE}
    return {**first, "Events": events, **rest}


def _documents(text: str) -> Iterator[Any]:
    decoder, position = json.JSONDecoder(), 0
    text = text.strip()
    while True:
        value, position = decoder.raw_decode(text, position)
        yield from value if isinstance(value, list) and value else [value]
        while text[position : position + 1].isspace():
            position += 1
        if position == len(text):
            return


def _of_export(content: dict[str, Any]) -> Log:
    if int(content.get("Format") or _FORMAT) > _FORMAT:
        raise HistoryError("has a format that is newer than this dacapo: upgrade dacapo")
    events = events_of(content)
    if not is_whole(content):
        raise HistoryError("holds only a page of a history: export all of its pages")
    started = events[0]
    if (started.details.get("Input") or {}).get("Payload") is None:
        raise HistoryError(f"holds no payloads: fetch it with its data, or export it with {EXPORT}")
    version = str(content.get("Version") or "")
    return Log(arn_of(content, started), events, _output(events), version=version)


def events_of(content: Mapping[str, Any]) -> list[Event]:
    """Return the events of a history, in order; those of the execution itself have its ID.

    Raises:
        HistoryError: the first one is missing.
    """
    events = sorted(from_json(content["Events"]), key=lambda event: event.event_id)
    if not events or events[0].type != "ExecutionStarted":
        raise HistoryError("does not begin with the start of an execution")
    key = events[0].operation_id or "execution"
    # The API need not set the ID of the execution's own events.
    return [
        replace(event, operation_id=key) if event.type.startswith("Execution") else event
        for event in events
    ]


def is_whole(content: Mapping[str, Any]) -> bool:
    """Return whether the last page of a history is there."""
    return not any(map(content.get, _MORE))


def declared_arn(content: Mapping[str, Any]) -> str:
    """Return the ARN that a history has; "" if it has none, like what the AWS CLI prints."""
    arn = (content.get("Execution") or {}).get("DurableExecutionArn")
    return arn if isinstance(arn, str) and arn.count(":") >= _ARN_COLONS else ""


def arn_of(content: Mapping[str, Any], started: Event) -> str:
    """Return the ARN of an execution, or a made one if the history doesn't have it."""
    arn = declared_arn(content)
    if arn:
        return arn
    function = function_arn(str(content.get("FunctionName") or "exported"))
    version, key = content.get("Version") or 1, started.operation_id
    return f"{function}:{version}/durable-execution/{started.name or key}/{key}"


def _output(events: Sequence[Event]) -> str | None:
    ends = (event for event in events if event.type == "ExecutionSucceeded")
    results = (event.details.get("Result") or {} for event in ends)
    payload: str | None = next(results, {}).get("Payload")
    return payload


def check_events(events: Sequence[Event]) -> None:
    """Refuse what no execution writes.

    Raises:
        HistoryError, TypeError: there is something of the kind.
    """
    for event in events:
        _check_event(event)
    numbers = [event.event_id for event in events]
    if len(set(numbers)) < len(numbers):
        raise HistoryError("has two events with the same number")
    parents = {
        event.operation_id: event.parent_id
        for event in reversed(events)
        if event.operation_id is not None and event.meaning is not None
    }
    _check_depth(parents)


def _check_writer(events: Sequence[Event]) -> None:
    operations = {
        event.operation_id or "": event.parent_id for event in events if event.is_of_operation
    }
    if operations and not writes(operations):
        raise HistoryError(
            "was written by another SDK: the one that is installed here would find none of its "
            "operations, because it gives them other IDs"
        )


def _check_event(event: Event) -> None:
    if event.type not in EVENT_TYPES:
        raise HistoryError(
            f"has an event that this dacapo does not know ({str(event.type)[:40]!r}): it is newer, "
            "or damaged"
        )
    for member in _TEXTS:
        if not isinstance(getattr(event, member), str | None):
            raise TypeError(member)
    timestamp, details = cast("object", event.timestamp), cast("object", event.details)
    if not isinstance(timestamp, datetime) or not isinstance(details, Mapping):
        raise TypeError("EventTimestamp")
    if not 1 <= event.event_id <= _HIGHEST:
        raise HistoryError("has an event with an impossible number")
    for value in event.details.values():
        if isinstance(value, Mapping) and not isinstance(value.get("Payload"), _PAYLOADS):
            raise TypeError("Payload")


_PAYLOADS = (str, dict, type(None))


def _check_depth(parents: Mapping[str, str | None]) -> None:
    for key in parents:
        for depth, _ in enumerate(_ancestors(key, parents)):
            if depth > DEEPEST:
                raise HistoryError(
                    f"has contexts in a circle, or more than {DEEPEST} inside each other"
                )


def _ancestors(key: str, parents: Mapping[str, str | None]) -> Iterator[str]:
    parent = parents.get(key)
    while parent is not None:
        yield parent
        parent = parents.get(parent)
