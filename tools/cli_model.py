"""Find AWS CLI commands in shell text and check them against botocore's API models.

Needs neither AWS nor the CLI, which derives its commands and options from the same models.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]  # ships no types
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.validate import ParamValidator

GLOBAL = {"query", "output", "region", "profile", "cli-binary-format"}
FLAGS = {"no-cli-pager", "no-paginate"}
PAGING = {"max-items", "page-size", "starting-token"}
OUTPUTS = {"json", "text", "table", "yaml"}

_ASSIGNMENT = re.compile(r"(\w+)=\$$")
_JSON = ("{", "[", '"')
_EXAMPLES = {"integer": 1, "long": 1, "timestamp": "2026-01-01T00:00:00Z"}


class InvalidCommand(Exception):  # noqa: N818 - reads better without Error
    """A command that the CLI or the API would reject; the message says why."""


@dataclass(frozen=True)
class Command:
    """One `aws SERVICE OPERATION …` command.

    Parameters:
        service: the CLI's name of the service.
        operation: the CLI's name of the operation.
        words: the rest of the command line.
        variable: shell variable that its output is assigned to; None if it is not.
        is_printed: whether its output is: it is neither assigned nor written to a file.
    """

    service: str
    operation: str
    words: tuple[str, ...]
    variable: str | None = None
    is_printed: bool = True


@dataclass(frozen=True)
class Call:
    """The API call that a command makes.

    Parameters:
        model: botocore's model of the operation.
        parameters: the call's parameters, as boto3 takes them.
        options: options of the CLI itself, such as `query`.
        files: names of output files.
    """

    model: OperationModel
    parameters: dict[str, Any]
    options: dict[str, str]
    files: tuple[str, ...]

    def printed(self, response: Mapping[str, Any]) -> Any:
        """Return the part of a response that the CLI prints."""
        return jmespath.search(self.options.get("query", "@"), response)


def commands_in(script: str) -> Iterator[Command]:
    """Yield every AWS CLI command in shell text, including functions and `NAME=$(…)`."""
    for line in script.replace("\\\n", " ").splitlines():
        variable = None
        for words, sign in _simple_commands(line):
            if "aws" in words:
                _, service, operation, *rest = words[words.index("aws") :]
                is_printed = variable is None and sign != ">"
                yield Command(service, operation, tuple(rest), variable, is_printed)
            assigned = _ASSIGNMENT.match(words[-1]) if words else None
            variable = assigned[1] if assigned else None


def call_of(command: Command) -> Call:
    """Return the API call that a command makes.

    Raises:
        InvalidCommand: the CLI or the API would reject it.
    """
    model = _operation(command)
    shape = model.input_shape
    call = Call(model, *_parse(model, list(command.words)))
    _check_options(call)
    if len(call.files) != model.has_streaming_output:
        raise InvalidCommand(f"takes {int(model.has_streaming_output)} files, not {call.files}")
    if shape is not None:
        report = ParamValidator().validate(call.parameters, shape)
        if report.has_errors():
            raise InvalidCommand(report.generate_report())
        for value in _values_outside_their_enum(shape, call.parameters):
            raise InvalidCommand(f"{value} is not a valid value")
    return call


def _simple_commands(line: str) -> Iterator[tuple[list[str], str]]:
    """Yield the words of each simple command, and what follows it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("();<>|&"):
            yield words, word
            words = []
        else:
            words.append(word)
    yield words, ""


def names_of(service: str) -> Iterator[str]:
    """Yield every name in a service's API: service, operations, shapes, members, enum values."""
    model = _session().get_service_model(service)
    yield model.service_id
    yield from model.operation_names
    for name in model.shape_names:
        shape = model.shape_for(name)
        yield name
        yield from shape.metadata.get("enum", ())
        yield from getattr(shape, "members", ())


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


def _operation(command: Command) -> OperationModel:
    try:
        service = _session().get_service_model(command.service)
    except UnknownServiceError:
        raise InvalidCommand(f"no service {command.service}") from None
    operations = {xform_name(name, "-"): name for name in service.operation_names}
    if command.operation not in operations:
        raise InvalidCommand(f"{command.service} has no operation {command.operation}")
    return service.operation_model(operations[command.operation])


def _parse(
    model: OperationModel, words: list[str]
) -> tuple[dict[str, Any], dict[str, str], tuple[str, ...]]:
    shape = model.input_shape
    names = {xform_name(name, "-"): name for name in shape.members} if shape else {}
    known = GLOBAL | (PAGING if _is_paginated(model) else set())
    parameters: dict[str, Any] = {}
    options: dict[str, str] = {}
    files: list[str] = []
    while words:
        word = words.pop(0)
        option = word.removeprefix("--")
        if option == word:
            files.append(word)
        elif option in names and shape is not None:
            parameters[names[option]] = _value(shape.members[names[option]], words)
        elif option.removeprefix("no-") in names and shape is not None:
            parameters[names[option.removeprefix("no-")]] = False
        elif option in known and words:
            options[option] = words.pop(0)
        elif option not in FLAGS:
            raise InvalidCommand(f"{model.name} has no option {word}")
    return parameters, options, tuple(files)


def _is_paginated(model: OperationModel) -> bool:
    loader = _session().get_component("data_loader")
    pages = loader.load_service_model(model.service_model.service_name, "paginators-1")
    return model.name in pages["pagination"]


def _value(shape: Shape, words: list[str]) -> Any:
    if shape.type_name == "boolean":
        return True
    if not words or words[0].startswith("--"):
        raise InvalidCommand(f"missing value before {words[:1]}")
    if isinstance(shape, ListShape) and not words[0].startswith("["):
        values = []
        while words and not words[0].startswith("--"):
            values.append(_scalar(shape.member, words.pop(0)))
        return values
    if isinstance(shape, ListShape | MapShape | StructureShape):
        return _json(words.pop(0))
    return _scalar(shape, words.pop(0))


def _scalar(shape: Shape, word: str) -> Any:
    if word.startswith(_JSON):
        _json(word)
    if "$" in word:
        # The variable's value is unknown: substitute any valid one.
        return _EXAMPLES.get(shape.type_name, word.ljust(shape.metadata.get("min", 0)))
    return int(word) if shape.type_name in ("integer", "long") else word


def _json(word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError:
        raise InvalidCommand(f"invalid JSON: {word}") from None


def _check_options(call: Call) -> None:
    if call.options.get("output", "json") not in OUTPUTS:
        raise InvalidCommand(f"invalid output format: {call.options['output']}")
    if "query" in call.options:
        try:
            jmespath.compile(call.options["query"])
        except jmespath.exceptions.ParseError as error:
            raise InvalidCommand(f"invalid query: {error}") from None


def _values_outside_their_enum(shape: Shape, value: Any) -> Iterator[str]:
    inner: Sequence[tuple[Shape, Any]] = ()
    if isinstance(shape, StructureShape):
        inner = [(shape.members[name], part) for name, part in value.items()]
    elif isinstance(shape, MapShape):
        inner = [(shape.value, part) for part in value.values()]
    elif isinstance(shape, ListShape):
        inner = [(shape.member, part) for part in value]
    elif (allowed := shape.metadata.get("enum")) and value not in allowed and "$" not in value:
        yield value
    for part_shape, part in inner:
        yield from _values_outside_their_enum(part_shape, part)
