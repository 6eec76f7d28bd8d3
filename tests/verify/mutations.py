"""Mutation operators for durable handlers: each applies one fault at every possible place.

An operator takes the syntax tree of a handler's module and yields mutants, each with a description
of its fault. Where a fault makes something vary between invocations, it reads the clock, a random
value, or a counter in process memory. No hook can see that counter being read: only its
consequences reveal it.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from tests.verify import sites
from tests.verify.sites import label, title

Mutants = Iterator[tuple[str, ast.Module]]
Operator = Callable[[ast.Module], Mutants]
Site = TypeVar("Site")

CLOCK, RANDOM, COUNT = "int(time.time()) % 3607", "uuid.uuid4()", "next(_counter)"
_BY = {CLOCK: "by the clock", RANDOM: "by a random value", COUNT: "by process state"}
_PREAMBLE = """
import dataclasses, itertools, time, uuid

_counter = itertools.count()

def _longer(config, field, more):
    length = getattr(config, field)
    longer = type(length).from_seconds(length.to_seconds() + more)
    return dataclasses.replace(config, **{field: longer})

def _stored(box, function):
    def storing(*arguments):
        box.append(function(*arguments))
        return box[-1]
    return storing
"""


def source_of(tree: ast.Module) -> str:
    """Return the source text of a mutant, including the helpers that mutations call."""
    future = next(s for s in tree.body if isinstance(s, ast.ImportFrom))
    whole = _replaced(tree, future, [future, *ast.parse(_PREAMBLE).body])
    return ast.unparse(ast.fix_missing_locations(whole))


def drop_a_name(tree: ast.Module) -> Mutants:
    """Drop the name of an operation."""
    for mutant, (call, name) in _each(tree, sites.named):
        fault = f"{label(call)} has no name"
        call.keywords.remove(name)
        yield fault, mutant


def move_out_of_the_step(tree: ast.Module) -> Mutants:
    """Run the body of a step in the handler's body."""
    for mutant, (call, function) in _each(tree, sites.steps):
        yield f"{label(call)} is not a step", _replaced(mutant, call, function.body)


def read_it_outside(tree: ast.Module) -> Mutants:
    """Make the control flow, a step's payload or the result depend on a read in the body."""
    for source in (CLOCK, COUNT):
        for mutant, statement in _each(tree, sites.simple):
            more = _statement(f"if {_sometimes(source)}: context.step(lambda _: 0, name='more')")
            fault = f"{_BY[source]}, another step before {title(statement)}"
            yield fault, _replaced(mutant, statement, [more, statement])
        for mutant, end in _each(tree, sites.results):
            fault = f"{_BY[source]}, another {ast.unparse(end)}"
            end.value = ast.Dict([None, ast.Constant("at")], [_of(end), _expression(source)])
            yield fault, mutant
    for mutant, (call, function) in _each(tree, sites.steps):
        function.args.args.append(ast.arg("read"))
        function.args.defaults.append(_expression(CLOCK))
        function.body = ast.BoolOp(ast.Or(), [function.body, _expression("read")])
        yield f"{_BY[CLOCK]}, another result of {label(call)} instead of None", mutant


def swap_two_operations(tree: ast.Module) -> Mutants:
    """Swap two operations on some invocations."""
    for source in (CLOCK, COUNT):
        for mutant, (one, other) in _each(tree, sites.independent_pairs):
            fault = f"{_BY[source]}, {title(other)} before {title(one)}"
            choice = ast.If(_expression(_sometimes(source)), [other, one], [one, other])
            yield fault, _replaced(_replaced(mutant, other, []), one, choice)


def change_a_closure(tree: ast.Module) -> Mutants:
    """Read a result from a list that the body of a step or poll mutates."""
    for mutant, (statement, call) in _each(tree, sites.assignments):
        call.args[0] = _call("_stored", _expression("_box"), call.args[0])
        statement.value = _expression("_box[-1] if _box else None")
        lines = [_statement("_box = []"), ast.Expr(call), statement]
        yield f"{label(call)} returns through a list", _replaced(mutant, statement, lines)


def swallow_a_suspension(tree: ast.Module) -> Mutants:
    """Catch every exception around an operation."""
    for mutant, (block, handler) in _each(tree, sites.handlers):
        caught = ast.unparse(handler.type or _expression("BaseException"))
        handler.type = _expression("BaseException")
        yield f"{title(block)}: not only {caught} is caught", mutant
    for mutant, statement in _each(tree, sites.simple):
        everything = ast.ExceptHandler(None, None, [_without_result(statement)])
        whole = ast.Try([statement], [everything], [], [])
        yield f"{title(statement)}: everything is caught", _replaced(mutant, statement, whole)


def lengthen_a_timeout(tree: ast.Module) -> Mutants:
    """Lengthen a timeout of a callback by a varying amount."""
    for source in (CLOCK, COUNT):
        for field in sites.timeouts(tree):
            for mutant, (call, config) in _each(tree, sites.callbacks):
                more = ast.Constant(field), _expression(source)
                config.value = _call("_longer", config.value, *more)
                yield f"{_BY[source]}, a longer {field} of {label(call)}", mutant


def make_a_name_dynamic(tree: ast.Module) -> Mutants:
    """Vary the name of an operation."""
    for source in (CLOCK, RANDOM, COUNT):
        for mutant, (call, name) in _each(tree, sites.named):
            fault = f"{_BY[source]}, another name for {label(call)}"
            name.value = ast.BinOp(name.value, ast.Add(), _expression(f"f' {{{source}}}'"))
            yield fault, mutant


OPERATORS: tuple[Operator, ...] = (
    drop_a_name,
    move_out_of_the_step,
    read_it_outside,
    swap_two_operations,
    change_a_closure,
    swallow_a_suspension,
    lengthen_a_timeout,
    make_a_name_dynamic,
)


def _each(
    tree: ast.Module, find: Callable[[ast.Module], list[Site]]
) -> Iterator[tuple[ast.Module, Site]]:
    for number in range(len(find(tree))):
        copied = copy.deepcopy(tree)
        yield copied, find(copied)[number]


def _sometimes(source: str) -> str:
    # Parity of the set bits: a regular rhythm of runs can't fall into step with it.
    return f"({source}).bit_count() % 2"


def _without_result(statement: ast.stmt) -> ast.stmt:
    match statement:
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
            return _statement(f"{ast.unparse(target)} = None")
        case ast.Return():
            return _statement("return None")
        case _:
            return ast.Pass()


def _replaced(tree: ast.Module, old: ast.AST, new: ast.AST | list[Any]) -> ast.Module:
    class Replacing(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            return new if node is old else self.generic_visit(node)

    replaced: ast.Module = Replacing().visit(tree)
    return replaced


def _of(end: ast.Return) -> ast.expr:
    assert end.value is not None
    return end.value


def _call(function: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(_expression(function), list(arguments), [])


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _statement(text: str) -> ast.stmt:
    return ast.parse(text).body[0]
