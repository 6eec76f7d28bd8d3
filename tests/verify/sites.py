"""Finds and names the sites in a durable handler's syntax tree that a mutation can change.

A handler has to name its context `context`, and to pass it on under that name.
"""

from __future__ import annotations

import ast
from itertools import pairwise
from typing import Any, NamedTuple

CALLBACK, POLL, STEP = "wait_for_callback", "wait_for_condition", "step"
_OURS = "callbacks.wait_for_answer"
"""The patterns' own function around a callback: named, with timeouts, like an operation."""
_OPERATIONS = frozenset(
    {
        *(STEP, POLL, CALLBACK, "create_callback"),
        *("wait", "invoke", "map", "parallel", "run_in_child_context"),
    }
)
_TIMEOUTS = ("timeout", "heartbeat_timeout")
_SIMPLE = (ast.Expr, ast.Assign, ast.AnnAssign, ast.Return)


class Step(NamedTuple):
    """A step and the function that it runs."""

    call: ast.Call
    function: ast.Lambda


class Assignment(NamedTuple):
    """A statement that only assigns or returns the result of an operation."""

    statement: Any
    call: ast.Call


def named(tree: ast.AST) -> list[tuple[ast.Call, ast.keyword]]:
    """Return operations, each with its `name` keyword."""
    return [(call, k) for call in _operations(tree) for k in call.keywords if k.arg == "name"]


def callbacks(tree: ast.AST) -> list[tuple[ast.Call, ast.keyword]]:
    """Return waits for a callback, each with its `config` keyword."""
    calls = _operations(tree, CALLBACK)
    return [(call, k) for call in calls for k in call.keywords if k.arg == "config"]


def timeouts(tree: ast.AST) -> list[str]:
    """Return the names of the timeouts that are set."""
    keywords = [node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)]
    return [name for name in _TIMEOUTS if name in keywords]


def steps(tree: ast.AST) -> list[Step]:
    """Return steps whose function is a lambda."""
    calls = _operations(tree, STEP)
    return [Step(call, f) for call in calls if isinstance(f := call.args[0], ast.Lambda)]


def simple(tree: ast.AST) -> list[ast.stmt]:
    """Return simple statements that run an operation, directly or in a function that they call."""
    return [node for node in ast.walk(tree) if isinstance(node, _SIMPLE) and durable(node)]


def independent_pairs(tree: ast.AST) -> list[tuple[ast.stmt, ast.stmt]]:
    """Return pairs of consecutive statements that both run operations and could be swapped."""
    blocks = [getattr(n, field, None) for n in ast.walk(tree) for field in ("body", "orelse")]
    pairs = [pair for block in blocks if isinstance(block, list) for pair in pairwise(block)]
    return [pair for pair in pairs if all(map(_acts, pair)) and not _uses(pair[1], pair[0])]


def assignments(tree: ast.AST) -> list[Assignment]:
    """Return assignments of the results of steps and polls."""
    return [
        Assignment(statement, call)
        for statement in simple(tree)
        for call in _operations(statement, STEP, POLL)
        if not isinstance(statement, ast.Expr) and getattr(statement, "value", None) is call
    ]


def handlers(tree: ast.AST) -> list[tuple[ast.Try, ast.ExceptHandler]]:
    """Return exception handlers around operations."""
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.Try) and durable(n)]
    return [(block, handler) for block in blocks for handler in block.handlers]


def results(tree: ast.AST) -> list[ast.Return]:
    """Return the return statements of the durable handler itself."""
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    (handler,) = (f for f in functions if "durable_execution" in map(ast.unparse, f.decorator_list))
    return [node for node in ast.walk(handler) if isinstance(node, ast.Return)]


def durable(tree: ast.AST) -> list[ast.Call]:
    """Return calls of operations, and of functions that receive the context."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [c for c in calls if _operation(c) or "context" in map(ast.unparse, c.args)]


def label(call: ast.Call) -> str:
    """Return the name of an operation, or else the text of its call."""
    names = [ast.unparse(k.value) for k in call.keywords if k.arg == "name"]
    texts = [ast.unparse(arg) for arg in call.args if isinstance(arg, ast.Constant)]
    return names[0] if names else " ".join([ast.unparse(call.func), *texts])


def title(statement: ast.AST) -> str:
    """Return the label of the first operation in a statement."""
    return label(durable(statement)[0])


def _operations(tree: ast.AST, *which: str) -> list[ast.Call]:
    return [call for call in durable(tree) if _operation(call) in (which or _OPERATIONS)]


def _operation(call: ast.Call) -> str:
    if ast.unparse(call.func) == _OURS:
        return CALLBACK
    owner, _, name = ast.unparse(call.func).rpartition(".")
    return name if owner == "context" and name in _OPERATIONS else ""


def _acts(statement: ast.stmt) -> bool:
    return bool(durable(statement)) and not isinstance(statement, ast.FunctionDef)


def _uses(later: ast.stmt, earlier: ast.stmt) -> bool:
    names = [node for node in ast.walk(earlier) if isinstance(node, ast.Name)]
    assigned = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    return any(isinstance(node, ast.Name) and node.id in assigned for node in ast.walk(later))
