"""Compare a step's result, or its error, with what the handler receives."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import cache
from types import FrameType
from typing import Any

from aws_durable_execution_sdk_python import CallbackTimeoutError
from aws_durable_execution_sdk_python.exceptions import DurableOperationError
from aws_durable_execution_sdk_python.identifier import OperationIdentifier
from aws_durable_execution_sdk_python.lambda_service import OperationSubType

from dacapo.process import source_lines
from dacapo.process.source_lines import Place, tree_of
from dacapo.sdk.serializers import freeze
from dacapo.service.client import Probe
from dacapo.verify.findings import Code, Evidence, ExperimentName, Observation, contrast
from dacapo.verify.observe.misplaced import Position


class Results(Probe):
    """Compares what steps return and raise with what the handler receives and catches.

    Parameters:
        position: knows the line that starts each operation.
        frozen_results: what operations with a serializer of the handler's own gave it, by ID: text
            that such a serializer stores may differ where this does not. See `sdk.serializers`.
    """

    def __init__(self, position: Position) -> None:
        self.position = position
        self.observations: list[Observation] = []
        self.frozen_results: dict[str, bytes] = {}
        self._serialized: set[str] = set()
        self._returned: dict[str, object] = {}

    def wrap_function(
        self, operation: OperationIdentifier, attempt: int, function: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Let a step run, and remember what it returns."""
        _ = attempt
        if operation.sub_type != OperationSubType.STEP:
            return function

        def remembered(*arguments: Any) -> Any:
            value = function(*arguments)
            self._returned[operation.operation_id] = value
            return value

        return remembered

    def on_result(self, operation: OperationIdentifier, value: object) -> None:
        """Compare what a step returned with what the handler receives from the serializer."""
        if operation.operation_id in self._serialized:
            frozen = freeze(value)
            if frozen is not None:
                self.frozen_results[operation.operation_id] = frozen
        if operation.operation_id not in self._returned:
            return
        returned = self._returned.pop(operation.operation_id)
        if _is_different(returned, value):
            one, other = contrast(repr(returned), repr(value))
            message = f"step {operation.name!r} returns {one}, and the handler receives {other}"
            place = self.position.places.get(operation.operation_id)
            self._observe(Code.CHANGED_BY_SERDES, Evidence.LINT, message, place)

    def serialized(self, operation_id: str, _: object) -> None:
        """Note that an operation has a serializer of the handler's own."""
        self._serialized.add(operation_id)

    def failed(self, error: Exception, frame: FrameType) -> None:
        """Check an error that an operation raises, in the frame that asked for the operation."""
        if isinstance(error, DurableOperationError):
            place = never_caught(error, frame)
            if place is not None:
                kind, was = type(error).__name__, error.error_type
                message = f"{kind} (error_type {was}) is raised, which this does not catch"
                self._observe(Code.NEVER_CAUGHT, Evidence.RULE, message, place)

    def _observe(self, code: Code, evidence: Evidence, message: str, place: Place | None) -> None:
        name = ExperimentName.REFERENCE_RUN
        self.observations.append(Observation(code, evidence, message, name, place))


def _is_different(returned: object, received: object) -> bool:
    try:
        if are_equal(returned, received):
            return False
        # What is not even equal to its own copy can't be compared.
        return are_equal(copy.deepcopy(returned), returned)
    except Exception:  # noqa: BLE001 - a class of the user's that can be neither copied nor compared
        return False


def are_equal(one: object, other: object) -> bool:
    """Return whether two values are equal; NaN equals itself, also inside other values."""
    if one is other or _equals(one, other):
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return _are_equal_mappings(one, other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(are_equal, one, other))
    if is_dataclass(one) or _compares_fields(one):
        return _are_equal_mappings(vars(one), vars(other))
    return not _equals(one, one) and repr(one) == repr(other)


def _equals(one: object, other: object) -> bool:
    return bool(one == other)


def _are_equal_mappings(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    return one.keys() == other.keys() and all(are_equal(one[key], other[key]) for key in one)


def _compares_fields(value: object) -> bool:
    """Return whether a value is one of a model's, as pydantic and attrs make them."""
    return hasattr(value, "__dict__") and (
        hasattr(value, "__pydantic_fields__") or hasattr(value, "__attrs_attrs__")
    )


_Classes = tuple[type[BaseException], ...]


def never_caught(error: DurableOperationError, frame: FrameType | None) -> Place | None:
    """Return the line of an `except` that was meant for an error and does not catch it.

    Parameters:
        error: what an operation raises.
        frame: where it does.

    Returns:
        The line; None if there is no such `except`, or if a `try` inside of it catches the error.
    """
    meant: Place | None = None
    while frame is not None:
        if source_lines.is_user_code(frame.f_code):
            for clauses in _clauses(frame):
                here = [line for line, classes in clauses if _are_meant(classes, error)]
                place = Place(frame.f_code.co_filename, here[0]) if here else None
                if any(isinstance(error, classes) for _, classes in clauses):
                    # Another clause of the same `try` catches it: this one is passed over.
                    return place
                meant = meant or place
        frame = frame.f_back
    return meant


def _are_meant(classes: _Classes, error: DurableOperationError) -> bool:
    return not isinstance(error, classes) and any(_is_meant(one, error) for one in classes)


def _is_meant(one: type[BaseException], error: DurableOperationError) -> bool:
    if one is TimeoutError and isinstance(error, CallbackTimeoutError):
        return True
    names = {one.__name__, *(each.__name__ for each in one.__subclasses__())}
    return error.error_type.rpartition(".")[2] in names


def _clauses(frame: FrameType) -> Iterator[list[tuple[int, _Classes]]]:
    """Yield the `except` clauses of each `try` around the line that a frame is at, from inside."""
    around = [
        node
        for node in _tries(frame.f_code.co_filename)
        if node.body[0].lineno <= frame.f_lineno <= (node.body[-1].end_lineno or 0)
        and frame.f_code.co_firstlineno <= node.lineno
    ]
    for node in sorted(around, key=lambda node: -node.lineno):
        yield [(clause.lineno, _classes(clause.type, frame)) for clause in node.handlers]


@cache
def _tries(file: str) -> list[ast.Try]:
    return [node for node in ast.walk(tree_of(file)) if isinstance(node, ast.Try)]


def _classes(clause: ast.expr | None, frame: FrameType) -> _Classes:
    if clause is None:
        return (BaseException,)
    parts = clause.elts if isinstance(clause, ast.Tuple) else [clause]
    values = (_value(part, frame) for part in parts)
    return tuple(one for one in values if isinstance(one, type) and issubclass(one, BaseException))


def _value(expression: ast.expr, frame: FrameType) -> Any:
    match expression:
        case ast.Name(id=name):
            scopes = (frame.f_locals, frame.f_globals, frame.f_builtins)
            return next((scope[name] for scope in scopes if name in scope), None)
        case ast.Attribute(value=owner, attr=name):
            return getattr(_value(owner, frame), name, None)
        case _:
            return None
