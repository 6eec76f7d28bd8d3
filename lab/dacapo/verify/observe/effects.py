"""Record what a run does to the world, effect by effect, and in which step."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from aws_durable_execution_sdk_python.identifier import OperationIdentifier

from dacapo.process import own_threads, requests, source_lines
from dacapo.process.active_run import ACTIVE
from dacapo.process.effect_listeners import is_of_world, listening
from dacapo.process.own_files import DISK, OwnFiles, changed_by
from dacapo.process.own_threads import Origin
from dacapo.process.source_lines import Place
from dacapo.sdk.installed import may_run_handlers, runs_user_code
from dacapo.sdk.serializers import is_serializing
from dacapo.service.client import Probe
from dacapo.simulation import boto
from dacapo.verify.findings import Code, Evidence, ExperimentName, Observation
from dacapo.verify.observe.misplaced import Position

_PARTS = ("url_path", "query_string", "body")


@dataclass(frozen=True)
class Effect:
    """A call of AWS that changes something.

    Parameters:
        operation_id: the step that it was made in, with the execution if that is not the one that
            is verified; "" for none.
        step: that step's name.
        what: service and operation.
        digest: of the request; the same request is the same effect.
        is_conditional: whether AWS itself makes sure that it happens once.
        key: digest of what the request acts on, if it names that apart from the content (the key
            of a DynamoDB item); otherwise of the request.
        is_increment: whether it adds to what is there, so that the same request adds again.
        is_send: whether each such request reaches somebody, with nothing that shows that it
            is the same.
    """

    operation_id: str
    step: str
    what: str
    digest: str
    is_conditional: bool
    key: str = ""
    is_increment: bool = False
    is_send: bool = False


@dataclass(frozen=True)
class Occurrence:
    """An effect, the run of the step's body in which it was made, and the line that made it.

    Parameters:
        body: counts how often the body of the step has run, from 1.
        place: the line of the body of the step, or of the handler, that it comes from.
        request: the line that makes the request; in a helper, it is another one.
    """

    effect: Effect
    body: int
    place: Place | None
    request: Place | None = None


class Effects(Probe):
    """Records the effects of a run, and how often the body of each step ran.

    Parameters:
        position: knows in which step each thread is.
        first: ARN of the execution that is verified; "" for the first one of the run.
    """

    def __init__(self, position: Position, first: str = "") -> None:
        self.position = position
        self._first = first
        # With the context itself: another one may get the ID of one that is gone.
        self._by_context: dict[int, tuple[object, Occurrence]] = {}
        self.done: list[Occurrence] = []
        self.bodies: Counter[str] = Counter()
        self._requests: dict[int, Occurrence] = {}
        self._files = OwnFiles(self._executed)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Context manager that records what happens."""
        with (
            listening(self.observe, self.forget),
            ACTIVE.audited_by(self.audit),
            self._files.following_databases(),
            own_threads.following(self.origin_here, is_own),
        ):
            yield

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
        frame = sys._getframe(1)  # noqa: SLF001
        if requests.only_queries(operation, request) or not is_of_handler(frame):
            return
        if is_of_world(frame, most=1):
            return
        text = repr([_content(request.get(part)) for part in _PARTS])
        is_conditional = requests.is_conditional(request, text)
        occurrence = self._record(
            f"{service}:{operation}",
            text,
            is_conditional=is_conditional,
            acts_on=_acts_on(_content(request.get("body"))),
            is_increment=not is_conditional and requests.is_increment(service, operation, request),
            is_send=not is_conditional and requests.may_repeat(service, operation, request),
        )
        context = request.get("context")
        self._by_context[id(context)] = context, occurrence

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Record a file that is written, a process or a statement, in a step; an audit listener."""
        self._files.audit(event, arguments)
        if event == "http.client.send":
            self._sent(*arguments)
        changed = changed_by(event, arguments)
        if not changed or self.position.step() is None:
            return
        if does_itself(sys._getframe(1)):  # noqa: SLF001
            # The disk itself makes sure of it: a file is overwritten, a folder is made once.
            content = self._files.common(repr(changed))
            self._record(event, content, is_conditional=event in DISK)

    def _sent(self, connection: Any, data: Any) -> None:
        """Record a request of an HTTP client, in a step, and what follows its headers."""
        if self.position.step() is None or not does_itself(sys._getframe(1)):  # noqa: SLF001
            return
        request = requests.http_request(connection, data)
        if request is None:
            self._continued(connection, data)
            return
        # What follows belongs to this request, whether or not it is recorded.
        self._requests.pop(id(connection), None)
        if not request.is_query and connection.port not in requests.TELEMETRY:
            # Another world may listen at another port.
            _, _, path = request.target.partition("/")
            text = repr((request.method, path, request.keys))
            done = self._record(f"http:{request.method}", text, is_send=request.is_send)
            self._requests[id(connection)] = done

    def _continued(self, connection: Any, data: Any) -> None:
        done = self._requests.get(id(connection))
        if done is not None and isinstance(data, bytes | bytearray):
            digest = _digest(done.effect.digest + _digest(repr(bytes(data))))
            effect = replace(done.effect, digest=digest, key=digest)
            longer = self._requests[id(connection)] = replace(done, effect=effect)
            self.done = [longer if one is done else one for one in self.done]

    def _executed(self, statement: str) -> None:
        """Record a statement that changes a database of the process's own."""
        if self.position.step() is not None and is_of_handler(sys._getframe(1)):  # noqa: SLF001
            word = statement.split(maxsplit=1)[0].upper()
            self._record(f"sqlite3:{word}", statement, is_increment=requests.increments(statement))

    def origin_here(self) -> Origin | None:
        """Return the origin of a thread that a handler starts here; see `own_threads`."""
        frame = sys._getframe(1)  # noqa: SLF001
        if not is_of_handler(frame) or is_of_world(frame):
            return None
        place = own_threads.asking_line(frame)
        step = self.position.step()
        body = self._body(self._key(step.operation_id)) if step else 0
        return Origin(place, tuple(self.position.stack), boto.active().execution(), body)

    def may_repeat(self) -> Iterator[Observation]:
        """Yield the lines that send what a crash may send again, each line once."""
        seen: set[Place | None] = set()
        for occurrence in self.done:
            effect, place = occurrence.effect, occurrence.place
            is_repeatable = effect.is_send and effect.operation_id not in self.position.at_most_once
            if effect.operation_id and is_repeatable and place not in seen:
                seen.add(place)
                message = (
                    f"{effect.what} in step {effect.step!r} is sent again if a crash interrupts it"
                )
                name = ExperimentName.REFERENCE_RUN
                yield Observation(Code.EFFECT_MAY_REPEAT, Evidence.LINT, message, name, place)

    def _record(
        self,
        what: str,
        text: str,
        *,
        is_conditional: bool = False,
        acts_on: str = "",
        **kinds: bool,
    ) -> Occurrence:
        step = self.position.step()
        key = self._key(step.operation_id) if step else ""
        digest = _digest(text)
        effect = Effect(
            operation_id=key,
            step=(step.name or "") if step else "",
            what=what,
            digest=digest,
            is_conditional=is_conditional,
            key=_digest(acts_on) if acts_on else digest,
            **kinds,
        )
        place = own_threads.asking_line()
        occurrence = Occurrence(effect, self._body(key), place, source_lines.current_line())
        self.done.append(occurrence)
        return occurrence

    def _body(self, key: str) -> int:
        started = own_threads.origin()
        return started.body if started else self.bodies[key]

    def forget(self, context: object) -> None:
        """Forget a call that had no effect, as AWS throttled it or was out."""
        _, occurrence = self._by_context.pop(id(context), (None, None))
        if occurrence is not None:
            self._drop(occurrence)

    def _drop(self, occurrence: Occurrence) -> None:
        self.done = [done for done in self.done if done is not occurrence]

    def _key(self, operation_id: str) -> str:
        # Ids are places: what an execution starts, a successor of itself say, has the same ones.
        started = own_threads.origin()
        execution = started.execution if started else boto.active().execution()
        self._first = self._first or boto.active().first_execution() or execution
        return operation_id if execution == self._first else f"{execution} {operation_id}"


def is_of_handler(frame: FrameType | None) -> bool:
    """Return whether this thread does what a handler's code asks for, and not a serializer's."""
    is_own = own_threads.origin() is not None
    return (is_own or runs_user_code()) and not is_serializing(frame)


def is_own(thread: threading.Thread) -> bool:
    """Return whether a thread may be a handler's own, rather than one in which a run calls it."""
    return not may_run_handlers(thread)


def does_itself(frame: FrameType | None) -> bool:
    """Return whether a handler does something, rather than an import or a world that it asks."""
    return is_of_handler(frame) and not is_importing(frame) and not is_of_world(frame)


def is_importing(frame: FrameType | None) -> bool:
    """Return whether a module is being imported in this frame, or in one that it called."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


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
