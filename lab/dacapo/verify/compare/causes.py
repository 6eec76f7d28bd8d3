"""The line that causes a difference between two runs, rather than the one at which it shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from dacapo.process.source_lines import Place, tree_of
from dacapo.sdk.operation_hooks import Divergence
from dacapo.verify.observe.inputs import Inputs
from dacapo.verify.observe.run import Observed

_RECORDED = re.compile(r"id='([0-9a-f]{8})")
"""In the SDK's message: the beginning of the ID of the operation that is recorded."""
_SUSPENSIONS = ("BaseException", "SuspendExecution")
"""How the names of classes end that catch what the SDK raises to suspend a handler."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def of_operation(one: Observed, other: Observed, key: str) -> Place | None:
    """Return the line that makes an operation end in another way, or give another result.

    It is where its function fails; or uses a variable that has another value; or one that another
    operation has used before, whose value cannot be compared; or else where it returns.
    """
    raised = other.seen.raised.get(key)
    if raised is not None and key not in one.seen.raised:
        return raised
    started = one.places.get(key) or other.places.get(key)
    different = different_inputs(one, other, key)
    if different:
        return _first_place(different) or started
    shared = _shared_with_earlier(other, key)
    return shared or _only_return(other.seen.defined.get(key)) or started


def of_request(one: Observed, other: Observed, key: str, made_at: Place | None) -> Place | None:
    """Return the line that makes a step send another request.

    Parameters:
        made_at: the line that sends it.
    """
    different = different_inputs(one, other, key)
    started = one.places.get(key) or other.places.get(key)
    return (_first_place(different) or started) if different else made_at


def of_repetition(run: Observed, key: str, made_at: Place | None) -> Place | None:
    """Return the line that makes a step send another request when it runs again.

    Parameters:
        made_at: the line that sends it.
    """
    each = run.seen.inputs.get(key) or [{}]
    different = _different(run, each[0], run, each[-1])
    return (_first_place(different) or run.places.get(key)) if different else made_at


def _first_place(inputs: Inputs) -> Place | None:
    return next((value.place for value in inputs.values() if value.place), None)


def different_inputs(one: Observed, other: Observed, key: str) -> Inputs:
    """Return the variables that the function of an operation sees with other values."""
    before, after = one.seen.inputs.get(key), other.seen.inputs.get(key)
    if not before or not after:
        return {}
    return _different(one, before[-1], other, after[-1])


def of_parting(one: Place | None, other: Place | None) -> Place | None:
    """Return the line at which the ways to two lines part: the condition that only one is under.

    Parameters:
        one, other: the lines of the operations where two runs part.
    """
    if one is None or other is None or one.file != other.file:
        return _condition(other or one)
    mine, others = list(_conditions(one)), list(_conditions(other))
    only = [line for line in (*others, *mine) if (line in mine) != (line in others)]
    return Place(one.file, min(only)) if only else other


def of_divergence(run: Observed, divergence: Divergence) -> Place | None:
    """Return the line at which the way to an operation parts from that to the recorded one."""
    match = _RECORDED.search(divergence.message)
    recorded = next(
        (place for key, place in run.places.items() if match and key.startswith(match[1])), None
    )
    if recorded is None or divergence.place is None:
        return divergence.place
    return of_parting(recorded, divergence.place)


def _condition(place: Place | None) -> Place | None:
    lines = list(_conditions(place)) if place else []
    return Place(place.file, lines[-1]) if place and lines else place


def of_swallowing(late: Place | None) -> Place | None:
    """Return the line that keeps a suspension from leaving the handler.

    A line in an `except` or a `finally` says so itself. One after it runs because of it: the
    `except` or the `suppress()` before it is named, or in a loop the last one.

    Parameters:
        late: the line that starts an operation while the handler is being suspended.
    """
    function = _function_at(late) if late else None
    if late is None or function is None:
        return late
    nodes = list(_own(function))
    excepts = [n for n in nodes if isinstance(n, ast.ExceptHandler) and _takes_suspensions(n.type)]
    finals = [n.finalbody for n in nodes if isinstance(n, ast.Try)]
    if any(_has([one], late) for one in excepts) or any(_has(body, late) for body in finals):
        return late
    lines = [n.lineno for n in excepts if not isinstance(n.body[-1], ast.Raise)]
    lines += [n.lineno for n in nodes if isinstance(n, ast.Call) and _suppresses(n)]
    before = [line for line in lines if line < late.line] or lines
    return Place(late.file, max(before)) if before else late


def of_end(run: Observed) -> Place | None:
    """Return the line at which the handler of a run returns, if there is only one.

    A handler is the function that starts the first operation.
    """
    started = next((place for place in run.places.values() if place), None)
    if started is None:
        return None
    handler = _function_at(started)
    return _return_of(handler, started.file) if handler else None


def _only_return(defined: Place | None) -> Place | None:
    """Return the line at which a function returns, if there is only one.

    Parameters:
        defined: the line that defines it.
    """
    if defined is None:
        return None
    around = _functions_around(defined)
    function = next((f for f in around if _begins(f) <= defined.line <= f.lineno), None)
    return _return_of(function, defined.file) if function else None


def _return_of(function: ast.FunctionDef, file: str) -> Place | None:
    lines = [n.lineno for n in _own(function) if isinstance(n, ast.Return) and n.value]
    return Place(file, lines[0]) if len(lines) == 1 else None


def _different(one: Observed, before: Inputs, other: Observed, after: Inputs) -> Inputs:
    return {
        name: value
        for name, value in after.items()
        if name in before and one.portable(before[name].text) != other.portable(value.text)
    }


def _shared_with_earlier(run: Observed, key: str) -> Place | None:
    inputs = run.seen.inputs
    keys = list(inputs)
    if key not in inputs:
        return None
    earlier = {name for k in keys[: keys.index(key)] for name in inputs[k][-1]}
    shared = {name: value for name, value in inputs[key][-1].items() if name in earlier}
    return _first_place(shared)


def _conditions(place: Place) -> Iterator[int]:
    """Yield the lines of the conditions that a line is under, the outermost first."""
    for node in ast.walk(tree_of(place.file)):
        if isinstance(node, ast.If | ast.While | ast.IfExp):
            bodies = node.body, node.orelse
            for body in bodies:
                if _has(body if isinstance(body, list) else [body], place):
                    yield node.test.lineno


def _takes_suspensions(caught: ast.expr | None) -> bool:
    """Return whether an `except` of this takes what the SDK suspends with."""
    return caught is None or any(name.endswith(_SUSPENSIONS) for name in _names(caught))


def _suppresses(call: ast.Call) -> bool:
    return "suppress" in _names(call.func) and any(map(_takes_suspensions, call.args))


def _names(expression: ast.expr) -> set[str]:
    nodes = ast.walk(expression)
    return {getattr(node, "id", getattr(node, "attr", "")) for node in nodes}


def _has(nodes: Sequence[ast.expr | ast.stmt | ast.excepthandler], place: Place) -> bool:
    return bool(nodes) and nodes[0].lineno <= place.line <= (nodes[-1].end_lineno or 0)


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function that are in no function inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _FUNCTIONS):
            waiting.extend(ast.iter_child_nodes(node))


def _functions_around(place: Place) -> list[ast.FunctionDef]:
    """Return the functions that have a line, in their decorators or in their bodies."""
    functions = (n for n in ast.walk(tree_of(place.file)) if isinstance(n, ast.FunctionDef))
    return [one for one in functions if _begins(one) <= place.line <= (one.end_lineno or 0)]


def _function_at(place: Place) -> ast.FunctionDef | None:
    """Return the innermost function that has a line."""
    return max(_functions_around(place), key=lambda node: node.lineno, default=None)


def _begins(node: ast.FunctionDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def flows(source: Place, sink: Place) -> bool:
    """Return whether a value that one line reads is used at another, by the names between them."""
    if source.file != sink.file:
        return False
    tainted: set[str] = set()
    for statement in _statements(source):
        uses = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
        if _has([statement], sink) and uses & tainted:
            return True
        if _has([statement], source) or uses & tainted:
            tainted |= _assigned(statement)
    return False


def _statements(place: Place) -> list[ast.stmt]:
    """Return the simple statements of the function around a line, in their order."""
    outermost = min(_functions_around(place), key=lambda node: node.lineno, default=None)
    if outermost is None:
        return []
    nodes = (node for node in ast.walk(outermost) if isinstance(node, ast.stmt))
    simple = (node for node in nodes if not hasattr(node, "body"))
    return sorted(simple, key=lambda node: node.lineno)


def _assigned(statement: ast.stmt) -> set[str]:
    names = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}
