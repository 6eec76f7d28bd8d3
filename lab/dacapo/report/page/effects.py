"""What the world saw of a run: each effect, when it happened, and what it said."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dacapo.process import requests
from dacapo.report.page.lines import LineTracer, Traced
from dacapo.verify.observe.effects import Effect as Seen
from dacapo.verify.observe.effects import Effects, Occurrence
from dacapo.verify.observe.misplaced import Position

LONGEST_DETAIL = 400
"""Characters of an effect's content that are shown."""
_CONTENTS = ("MessageBody", "Message", "Detail", "Item", "Key", "Body", "Subject")
"""Members of a request that say more to a reader than the rest."""


@dataclass(frozen=True)
class Sighting:
    """One effect of a run.

    Parameters:
        at: virtual time.
        what: service and operation.
        detail: its content, as text.
        operation_id: the step that did it; "" for none.
        traced: the pass that did it; None for none.
        again: how often the same effect had happened before, if a repetition does harm: outside
            steps unless AWS makes sure of it, in a step if it sends or adds.
        line: the line of the handler's file that did it.
    """

    at: datetime
    what: str
    detail: str
    operation_id: str
    traced: Traced | None
    again: int
    line: int | None


class Sightings(Effects):
    """Records the effects of a run with their times and contents.

    Parameters:
        position: knows in which step each thread is; it must receive updates before this does.
        tracer: knows which pass and line runs.
    """

    def __init__(self, position: Position, tracer: LineTracer) -> None:
        super().__init__(position)
        self._tracer = tracer
        self._content = ""
        self._seen: Counter[tuple[str, str, str]] = Counter()
        self._entries: list[tuple[Occurrence, Sighting]] = []

    @property
    def sightings(self) -> list[Sighting]:
        """The effects of the first execution of the run, in order."""
        return [sighting for _, sighting in self._entries if " " not in sighting.operation_id]

    def observe(self, service: str, operation: str, request: Mapping[str, Any]) -> None:
        """Record a call of AWS, if it changes something, with what it says."""
        self._content = detail_of(request)
        try:
            super().observe(service, operation, request)
        finally:
            self._content = ""

    def _drop(self, occurrence: Occurrence) -> None:
        super()._drop(occurrence)
        for entry in [one for one in self._entries if one[0] is occurrence]:
            self._entries.remove(entry)
            self._seen[_key_of(entry[0].effect)] -= 1

    def _record(self, what: str, text: str, **kinds: Any) -> Occurrence:
        occurrence = super()._record(what, text, **kinds)
        effect = occurrence.effect
        key = _key_of(effect)
        repeats = effect.is_send or effect.is_increment or not effect.operation_id
        counts = repeats and not effect.is_conditional
        sighting = Sighting(
            at=datetime.now(UTC),
            what=what,
            detail=self._content or text[:LONGEST_DETAIL],
            operation_id=effect.operation_id,
            traced=self._tracer.traced_here(),
            again=self._seen[key] if counts else 0,
            line=self._tracer.line_here(),
        )
        self._seen[key] += 1
        self._entries.append((occurrence, sighting))
        return occurrence


def _key_of(effect: Seen) -> tuple[str, str, str]:
    return effect.what, effect.digest, effect.operation_id


def detail_of(request: Mapping[str, Any]) -> str:
    """Return what a request says, in one line: the member that says most, or all of them."""
    body = requests.body_of(request)
    content = next((body[name] for name in _CONTENTS if body.get(name)), body or None)
    if content is None:
        content = _uploaded(request.get("body") or "")
    text = content if isinstance(content, str) else json.dumps(_plain(content), default=str)
    return text[:LONGEST_DETAIL]


def _uploaded(body: Any) -> Any:
    """Return the content of an upload as text; that of a stream stays unread."""
    if isinstance(body, io.BytesIO):
        body = body.getvalue()
    if isinstance(body, bytes | bytearray):
        return body[: 4 * LONGEST_DETAIL].decode("utf-8", "replace")
    return "a stream" if hasattr(body, "read") else body


def _plain(value: Any) -> Any:
    """Return a value of DynamoDB without the names of its types."""
    if isinstance(value, Mapping):
        if len(value) == 1 and set(value) <= {"S", "N", "BOOL", "L", "M"}:
            return _plain(next(iter(value.values())))
        return {str(name): _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
