"""What the function of a step depends on, besides its parameters: the variables around it.

If a step gives another result, or makes another request, one of these has another value, and the
line that uses it is the line to name. Variables are read where they are: nothing is replaced.
"""

from __future__ import annotations

import dis
import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from aws_durable_execution_sdk_python.identifier import OperationIdentifier
from aws_durable_execution_sdk_python.lambda_service import OperationType

from dacapo.process import memory, source_lines
from dacapo.process.source_lines import Place
from dacapo.service.client import Probe

_DEEPEST = 4
"""How many functions deep: a step that calls a helper, which calls another."""
_KEPT_CHARACTERS = 2_000
"""Of a value: enough to compare and to show it."""
_LOADS = {"LOAD_GLOBAL", "LOAD_DEREF", "LOAD_NAME", "LOAD_CLASSDEREF"}
_NO_DATA = (ModuleType, type, FunctionType, BuiltinFunctionType, MethodType, property)
_OWN_VARIABLES = {"TMPDIR", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"}


@dataclass(frozen=True)
class Input:
    """A variable that a function uses.

    Parameters:
        text: its value, as text.
        place: the line that uses it first; None for a parameter that is given in advance.
    """

    text: str
    place: Place | None


Inputs = dict[str, Input]
"""By the variable's name."""


class Values(Probe):
    """Keeps what operations give to the handler, not what their serializers store.

    Parameters:
        results: results as text, by the operation's ID.
        raised: the line of the user's that raised an error in a function, by the operation's ID.
        inputs: the variables around a function, each time that it runs, by the operation's ID.
        defined: the line that defines a function, by the operation's ID.
    """

    def __init__(self) -> None:
        self.results: dict[str, str] = {}
        self.raised: dict[str, Place] = {}
        self.inputs: dict[str, list[Inputs]] = {}
        self.defined: dict[str, Place] = {}

    def wrap_function(
        self, operation: OperationIdentifier, attempt: int, function: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Let a function run, and keep where it fails."""
        _ = attempt

        if operation.operation_type is not OperationType.STEP:
            return function

        defined = source_lines.of_function(function)
        if defined is not None:
            self.defined[operation.operation_id] = defined

        def watched(*arguments: Any) -> Any:
            self.inputs.setdefault(operation.operation_id, []).append(inputs_of(function))
            try:
                return function(*arguments)
            except Exception as error:
                place = source_lines.raised_at(error)
                if place is not None:
                    self.raised[operation.operation_id] = place
                raise

        return watched

    def on_result(self, operation: OperationIdentifier, value: object) -> None:
        """Keep a result as text that is equal for equal values."""
        self.results[operation.operation_id] = _text_of(value)


def inputs_of(function: Callable[..., Any]) -> Inputs:
    """Return the variables around a function that it uses, and those that its helpers use."""
    inputs: Inputs = {}
    _collect(function, inputs, set(), 0)
    return inputs


def _collect(function: object, inputs: Inputs, seen: set[int], depth: int) -> None:
    if depth > _DEEPEST or id(function) in seen:
        return
    seen.add(id(function))
    match function:
        case functools.partial():
            for number, value in enumerate((*function.args, *function.keywords.values()), 1):
                inputs.setdefault(f"parameter {number}", Input(_text_of(value), None))
            _collect(function.func, inputs, seen, depth)
        case MethodType():
            _collect_own(function, inputs)
            _collect(function.__func__, inputs, seen, depth)
        case FunctionType():
            _collect_around(inspect.unwrap(function), inputs, seen, depth)


def _collect_around(
    function: Callable[..., Any], inputs: Inputs, seen: set[int], depth: int
) -> None:
    if not isinstance(function, FunctionType):
        return
    if not source_lines.is_user_code(function.__code__):
        for cell in function.__closure__ or ():  # a wrapper of the SDK's, around the user's
            _collect(_content(cell), inputs, seen, depth)
        return
    for name, value, place in _variables(function):
        if name == "os.environ":
            inputs.setdefault(name, Input(_environment(), place))
        elif isinstance(value, (*_NO_DATA, functools.partial)):
            _collect(value, inputs, seen, depth + 1)
        else:
            inputs.setdefault(name, Input(_text_of(value), place))


def _collect_own(method: MethodType, inputs: Inputs) -> None:
    code = getattr(method.__func__, "__code__", None)
    if code is None or not source_lines.is_user_code(code):
        return
    for name, value in getattr(method.__self__, "__dict__", {}).items():
        line = _first_use(code, name)
        if line and not isinstance(value, _NO_DATA):
            place = Place(code.co_filename, line)
            inputs.setdefault(f"self.{name}", Input(_text_of(value), place))


def _variables(function: FunctionType) -> Iterator[tuple[str, Any, Place]]:
    """Yield name, value and the line of the first use of each variable around a function."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    for name, (line, code) in _names(function.__code__).items():
        place = Place(code.co_filename, line)
        if name in cells:
            yield name, _content(cells[name]), place
        elif name in function.__globals__:
            yield name, function.__globals__[name], place
            if function.__globals__[name] is os and _first_use(code, "environ"):
                used = _first_use(code, "environ") or line
                yield "os.environ", None, Place(code.co_filename, used)


@functools.cache
def _names(code: CodeType) -> Mapping[str, tuple[int, CodeType]]:
    names: dict[str, tuple[int, CodeType]] = {}
    for instruction in dis.get_instructions(code):
        line = instruction.positions.lineno if instruction.positions else None
        if instruction.opname in _LOADS and line:
            names.setdefault(str(instruction.argval), (line, code))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names = {**_names(constant), **names}
    return names


def _first_use(code: CodeType, attribute: str) -> int | None:
    return next(
        (
            instruction.positions.lineno
            for instruction in dis.get_instructions(code)
            if instruction.argval == attribute and instruction.positions
        ),
        None,
    )


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None


def _text_of(value: object) -> str:
    return memory.as_text(value)[:_KEPT_CHARACTERS]


def _environment() -> str:
    return _text_of({k: v for k, v in os.environ.items() if k not in _OWN_VARIABLES})
