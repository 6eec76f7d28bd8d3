"""What a run did to the world, effect by effect, and in which step."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aws_durable_execution_sdk_python.identifier import OperationIdentifier

from dacapo import boto, observing, places
from dacapo.places import Place
from dacapo.sdk_internals.installed import runs_user_code
from dacapo.verify.inside import Inside
from dacapo.verify.results import Results
from dacapo.verify.sources import only_asks

_PARTS = ("url_path", "query_string", "body")
_CONDITION = "ConditionExpression"


@dataclass(frozen=True)
class Effect:
    """A call of AWS that changes something.

    Parameters:
        operation_id: the step that it was made in, with the execution if that is not the one that
            is looked at; "" for none.
        step: that step's name.
        what: service and operation.
        digest: of the request; the same request is the same effect.
        is_conditional: whether AWS itself sees to it that it happens once.
    """

    operation_id: str
    step: str
    what: str
    digest: str
    is_conditional: bool


@dataclass(frozen=True)
class Done:
    """An effect, the attempt of the step in which it was made, and the line that made it.

    Parameters:
        body: counts how often the code of the step has run, from 1.
    """

    effect: Effect
    body: int
    place: Place | None


class Effects(Inside):
    """Notes the effects of a run; also which code each step ran, and how often.

    Parameters:
        functions: whose effects are noted: the durable functions of the run.
    """

    def __init__(self, functions: Collection[str]) -> None:
        super().__init__()
        self.functions = functions
        self._first = ""
        self.done: list[Done] = []
        self.bodies: Counter[str] = Counter()
        self.results = Results()

    def counted(self) -> Counter[Effect]:
        """How often each effect was made."""
        return Counter(done.effect for done in self.done)

    def place_of(self, effect: Effect) -> Place | None:
        """The line that made an effect, or one of the same kind in the same step."""
        alike = effect.operation_id, effect.what
        found = (d for d in self.done if (d.effect.operation_id, d.effect.what) == alike)
        return next((done.place for done in found), None)

    def around(
        self, operation: OperationIdentifier, attempt: int, function: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Let a function run, and count how often."""
        inside = super().around(operation, attempt, function)

        def counted(*arguments: Any) -> Any:
            self.bodies[self._key(operation.operation_id)] += 1
            return self.results.of(operation, inside(*arguments))

        return counted

    def gives(self, operation: OperationIdentifier, value: object) -> None:
        """Compare what a step returned with what the handler gets."""
        self.results.given(operation, value, self.places.get(operation.operation_id))

    def observe(self, service: str, operation: str, request: Mapping[str, Any]) -> None:
        """Note a call of AWS."""
        if only_asks(operation) or not runs_user_code(threading.current_thread()):
            return
        if boto.active().actor() not in self.functions:
            return  # time passes while a handler waits, and others act in its thread
        step = self.step()
        key = self._key(step.operation_id) if step else ""
        text = repr([_content(request.get(part)) for part in _PARTS])
        effect = Effect(
            operation_id=key,
            step=(step.name or "") if step else "",
            what=f"{service}:{operation}",
            digest=hashlib.sha256(text.encode()).hexdigest(),
            is_conditional=_CONDITION in text,
        )
        self.done.append(Done(effect, self.bodies[key], places.acting()))

    def _key(self, operation_id: str) -> str:
        # Ids are places: what an execution starts, a successor of itself say, has the same ones.
        execution = boto.active().execution()
        self._first = self._first or execution
        return operation_id if execution == self._first else f"{execution} {operation_id}"


def _content(part: Any) -> Any:
    if not hasattr(part, "read"):
        return part
    content = part.read()
    part.seek(0)
    return content


@contextmanager
def noting(functions: Collection[str]) -> Iterator[Effects]:
    """Note the effects of these functions while this lasts."""
    effects = Effects(functions)
    with observing.observed_by(effects.observe):
        yield effects
