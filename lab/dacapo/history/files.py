"""Histories in files: recordings of dacapo, and exports of the AWS CLI."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from dacapo.errors import HistoryError
from dacapo.history.events import from_json
from dacapo.history.recording import Recording
from dacapo.history.replay_log import Log
from dacapo.service.events import Event
from dacapo.service.functions import function_arn

EXPORT = "aws lambda get-durable-execution-history --include-execution-data"


def load(path: Path) -> Log:
    """Load the history in a file.

    Parameters:
        path: file written by `Recording.save` or `dacapo run --save`, or the JSON output of
            `aws lambda get-durable-execution-history --include-execution-data`.

    Raises:
        HistoryError: it holds no history or only a part of one, or a payload is truncated.
    """
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise HistoryError(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise HistoryError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise HistoryError(f"{path} holds neither a recording nor a history (a JSON object)")
    try:
        log = _of_recording(content) if "meta" in content else _of_export(content, path)
        _ = log.states  # refuse now what can't be replayed
    except (AttributeError, KeyError, TypeError, ExceptionGroup) as error:
        raise HistoryError(f"{path} holds neither a recording nor a history") from error
    return log


def _of_recording(content: dict[str, Any]) -> Log:
    return Log.of(Recording.from_json(content))


def _of_export(content: dict[str, Any], path: Path) -> Log:
    events = sorted(from_json(content["Events"]), key=lambda event: event.event_id)
    if content.get("NextMarker") or content.get("NextToken"):
        raise HistoryError(f"{path} holds only a page of a history: export all of its pages")
    if not events or events[0].type != "ExecutionStarted":
        raise HistoryError(f"{path} does not begin with the start of an execution")
    started = events[0]
    if (started.details.get("Input") or {}).get("Payload") is None:
        raise HistoryError(f"{path} holds no payloads: export it with {EXPORT}")
    key = started.operation_id or "execution"
    # The API need not set the ID of the execution's own events.
    events = [
        replace(event, operation_id=key) if event.type.startswith("Execution") else event
        for event in events
    ]
    name = started.name or key
    arn = f"{function_arn('exported')}:1/durable-execution/{name}/{key}"
    return Log(arn, events, _output(events[-1]))


def _output(last: Event) -> str | None:
    if last.type != "ExecutionSucceeded":
        return None
    payload: str | None = (last.details.get("Result") or {}).get("Payload")
    return payload
