"""Operations without names: which of them could have been swapped, and the names to give them.

A history holds no code: without a name, only the position of an operation says which one it is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from aws_durable_execution_sdk_python.lambda_service import Operation

from dacapo.history.replay_log import Log
from dacapo.process.source_lines import Place, tree_of
from dacapo.verify.findings import Code, Evidence, ExperimentName, Observation
from dacapo.verify.limits import lacks_name

_SHOWN = 3
"""Lines that a finding shows."""


def unnamed(log: Log, lines: Mapping[str, Place]) -> Iterator[Observation]:
    """Yield what has no name: a suspicion where operations could have been swapped, or a lint.

    Parameters:
        lines: the lines that read operations back, by operation ID.
    """
    siblings: dict[tuple[object, ...], list[Operation]] = {}
    for operation in log.final.values():
        if lacks_name(operation):
            key = operation.parent_id, operation.operation_type, operation.sub_type
            siblings.setdefault(key, []).append(operation)
    swappable = [alike for alike in siblings.values() if len(_lines(alike, lines)) > 1]
    for alike in swappable:
        yield _swapped(_kind(alike[0]), _lines(alike, lines))
    count = sum(map(len, siblings.values()))
    if count and not swappable:
        verb = "operations of the history have" if count > 1 else "operation of the history has"
        yield _observed(Evidence.LINT, f"{count} {verb} no name, so nothing tells them apart")


def name_for(place: Place, kind: str) -> str:
    """Return a name for the operation that a line starts: that of the function that it calls."""
    nodes = ast.walk(tree_of(place.file))
    calls = [node for node in nodes if isinstance(node, ast.Call) and _is_at(node, place)]
    innermost = max(calls, key=lambda call: (call.lineno, call.col_offset), default=None)
    function = innermost.args[0] if innermost and innermost.args else None
    name = _name_of(function).strip("_").replace("_", " ")
    return name or f"{kind} of line {place.line}"


def _is_at(call: ast.Call, place: Place) -> bool:
    is_there = call.lineno <= place.line <= (call.end_lineno or call.lineno)
    return is_there and isinstance(call.func, ast.Attribute) and call.func.attr in _OPERATIONS


_OPERATIONS = (
    *("step", "wait", "invoke", "map", "parallel", "run_in_child_context"),
    *("create_callback", "wait_for_callback", "wait_for_condition"),
)


def _name_of(node: ast.AST | None) -> str:
    match node:
        case ast.Lambda(body=body):
            return _name_of(body)
        case ast.Call(func=ast.Name(id="partial"), args=[first, *_]):
            return _name_of(first)
        case ast.Call(func=function):
            return _name_of(function)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _lines(alike: Sequence[Operation], lines: Mapping[str, Place]) -> list[Place]:
    places = (lines.get(operation.operation_id) for operation in alike)
    return list(dict.fromkeys(place for place in places if place))


def _kind(operation: Operation) -> str:
    return (operation.sub_type or operation.operation_type.value).lower()


def _swapped(kind: str, lines: Sequence[Place]) -> Observation:
    shown = lines[:_SHOWN]
    names = [f"name={name!r}" for name in _distinct([name_for(line, kind) for line in shown])]
    text = (
        f"{len(lines)} operations ({kind}) without names could have been swapped, and nothing "
        f"would show it: {', '.join(map(str, shown))}; give them {', '.join(names)}"
    )
    return _observed(Evidence.SIGHTING, text, lines[0])


def _distinct(names: Sequence[str]) -> list[str]:
    return [
        name if names.count(name) == 1 else f"{name} {number}"
        for number, name in enumerate(names, start=1)
    ]


def _observed(evidence: Evidence, text: str, place: Place | None = None) -> Observation:
    return Observation(Code.UNNAMED_OPERATION, evidence, text, ExperimentName.REPLAYED, place)
