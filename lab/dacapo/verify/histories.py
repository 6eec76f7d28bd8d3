"""Histories in files: recordings of dacapo, and what the AWS CLI exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dacapo import history
from dacapo.recording import Recording
from dacapo.service.events import Event
from dacapo.service.functions import function_arn
from dacapo.verify.log import Log

EXPORT = "aws lambda get-durable-execution-history --include-execution-data"


class Unreadable(ValueError):  # noqa: N818 - says what it is
    """A file holds no history that can be replayed: says why and what to do."""


def load(path: Path) -> Log:
    """The history in a file.

    Parameters:
        path: what `Recording.save` or `dacapo run --save` wrote, or the output, as JSON, of
            `aws lambda get-durable-execution-history --include-execution-data`.

    Raises:
        Unreadable: it holds none, or only a part of one.
        Truncated: a payload of it was cut.
    """
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise Unreadable(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise Unreadable(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise Unreadable(f"{path} holds neither a recording nor a history (a JSON object)")
    try:
        log = _of_recording(content) if "meta" in content else _of_export(content, path)
        _ = log.versions  # what can't be replayed is refused now
    except (AttributeError, KeyError, TypeError, ExceptionGroup) as error:
        raise Unreadable(f"{path} holds neither a recording nor a history") from error
    return log


def _of_recording(content: dict[str, Any]) -> Log:
    return Log.of(Recording.from_json(content))


def _of_export(content: dict[str, Any], path: Path) -> Log:
    events: list[Event] = sorted(
        history.from_json(content["Events"]), key=lambda event: int(event["EventId"])
    )
    if content.get("NextMarker") or content.get("NextToken"):
        raise Unreadable(f"{path} holds only a page of a history: export all of its pages")
    if not events or events[0]["EventType"] != "ExecutionStarted":
        raise Unreadable(f"{path} does not begin with the start of an execution")
    started = events[0]
    if (started["ExecutionStartedDetails"].get("Input") or {}).get("Payload") is None:
        raise Unreadable(f"{path} holds no payloads: export it with {EXPORT}")
    key = started.get("Id") or "execution"
    for event in events:
        if event["EventType"].startswith("Execution"):
            event["Id"] = key  # the API need not give one
    name = started.get("Name") or key
    arn = f"{function_arn('exported')}:1/durable-execution/{name}/{key}"
    return Log(arn, events, _output(events[-1]))


def _output(last: Event) -> str | None:
    result = (last.get("ExecutionSucceededDetails") or {}).get("Result") or {}
    payload: str | None = result.get("Payload")
    return payload
