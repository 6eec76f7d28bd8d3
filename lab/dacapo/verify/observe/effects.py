"""Record what a run does to the world, effect by effect, and in which step."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_durable_execution_sdk_python.identifier import OperationIdentifier

from dacapo.process import source_lines
from dacapo.process.source_lines import Place
from dacapo.sdk.installed import runs_user_code
from dacapo.service.client import Probe
from dacapo.simulation import boto
from dacapo.verify.observe.misplaced import Position
from dacapo.verify.observe.sources import only_queries

_PARTS = ("url_path", "query_string", "body")
_CONDITION = "ConditionExpression"


@dataclass(frozen=True)
class Effect:
    """A call of AWS that changes something.

    Parameters:
        operation_id: the step that it was made in, with the execution if that is not the one that
            is verified; "" for none.
        step: that step's name.
        what: service and operation.
        digest: of the request; the same request is the same effect.
        key: digest of what the request acts on, if it names that apart from the content (the key
            of a DynamoDB item); otherwise of the request.
        is_conditional: whether AWS itself makes sure that it happens once.
    """

    operation_id: str
    step: str
    what: str
    digest: str
    is_conditional: bool
    key: str = ""


@dataclass(frozen=True)
class Occurrence:
    """An effect, the run of the step's body in which it was made, and the line that made it.

    Parameters:
        body: counts how often the body of the step has run, from 1.
    """

    effect: Effect
    body: int
    place: Place | None


class Effects(Probe):
    """Records the effects of a run, and how often the body of each step ran.

    Parameters:
        position: knows in which step each thread is.
    """

    def __init__(self, position: Position) -> None:
        self.position = position
        self._first = ""
        self._by_context: dict[int, Occurrence] = {}
        self.done: list[Occurrence] = []
        self.bodies: Counter[str] = Counter()

    def counted(self) -> Counter[Effect]:
        """Return how often each effect was made."""
        return Counter(occurrence.effect for occurrence in self.done)

    def place_of(self, effect: Effect) -> Place | None:
        """Return the line that made an effect, or one of the same kind in the same step."""
        alike = effect.operation_id, effect.what
        same = (d for d in self.done if (d.effect.operation_id, d.effect.what) == alike)
        return next((occurrence.place for occurrence in same), None)

    def wrap_function(
        self, operation: OperationIdentifier, attempt: int, function: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Let a function run, and count how often."""
        _ = attempt

        def counted(*arguments: Any) -> Any:
            self.bodies[self._key(operation.operation_id)] += 1
            return function(*arguments)

        return counted

    def observe(self, service: str, operation: str, request: Mapping[str, Any]) -> None:
        """Record a call of AWS, if it changes something; an effect listener."""
        if only_queries(operation) or not runs_user_code():
            return
        step = self.position.step()
        key = self._key(step.operation_id) if step else ""
        text = repr([_content(request.get(part)) for part in _PARTS])
        effect = Effect(
            operation_id=key,
            step=(step.name or "") if step else "",
            what=f"{service}:{operation}",
            digest=_digest(text),
            is_conditional=_CONDITION in text,
            key=_digest(_acts_on(_content(request.get("body"))) or text),
        )
        occurrence = Occurrence(effect, self.bodies[key], source_lines.current_line())
        self.done.append(occurrence)
        self._by_context[id(request.get("context"))] = occurrence

    def forget(self, context: object) -> None:
        """Forget a call that AWS throttled, as it had no effect; a throttle listener."""
        occurrence = self._by_context.pop(id(context), None)
        if occurrence is not None:
            self.done = [done for done in self.done if done is not occurrence]

    def _key(self, operation_id: str) -> str:
        # Ids are places: what an execution starts, a successor of itself say, has the same ones.
        execution = boto.active().execution()
        self._first = self._first or execution
        return operation_id if execution == self._first else f"{execution} {operation_id}"


def _acts_on(body: Any) -> str:
    try:
        content = json.loads(body)
        return repr((content["TableName"], content["Key"]))
    except (KeyError, TypeError, ValueError):
        return ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _content(part: Any) -> Any:
    if not hasattr(part, "read"):
        return part
    content = part.read()
    part.seek(0)
    return content
