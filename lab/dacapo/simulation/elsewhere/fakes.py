"""Fakes of the world, reached from another process.

A world replaces variables of modules (`mock.patch("orders.carrier", Fake())`), or is made of
objects that a module holds. In another process, these variables hold a `Remote`, whose calls come
back to the one object. What an object there gives is sent if it can be, and is a `Remote` itself
otherwise.
"""

from __future__ import annotations

import functools
import itertools
import operator
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any
from unittest import mock
from uuid import UUID

from dacapo.process import memory, messages
from dacapo.process.messages import Unsendable
from dacapo.process.user_modules import is_defined_by_user, is_users, is_users_object
from dacapo.simulation.elsewhere.wire import Shared

_DEEPEST = 4
_MOST_PARTS = 1_000
"""How deep, and how much, is looked for in what a world yields."""
_PLAIN = (int, float, str, bytes, bool, type(None))
_OPERATORS: dict[str, Callable[..., Any]] = {
    "call": lambda value, *arguments, **named: value(*arguments, **named),
    "get": getattr,
    "set": setattr,
    "item": operator.getitem,
    "set item": operator.setitem,
    "del item": operator.delitem,
    "len": len,
    "iter": lambda value: list(iter(value)),
    "next": next,
    "in": operator.contains,
    "bool": bool,
    "eq": operator.eq,
    "str": str,
    "repr": repr,
    "enter": lambda value: value.__enter__(),
    "exit": lambda value, *arguments: value.__exit__(*arguments),
    "iadd": operator.iadd,
}
_PARTS = "get", "item"
_CONSTANT = (*_PLAIN, tuple, frozenset, Decimal, date, time, timedelta, UUID, Enum, PurePath)
Variables = dict[tuple[str, str], object]
CellPath = tuple[str, ...]
"""The way from a function to a variable that it, or a function inside, has closed over."""


# == in the process of the world ==========================================================


class Exchange:
    """The objects of the world that other processes reach, by number."""

    def __init__(self) -> None:
        self._objects: dict[int, object] = {}
        self._numbers = itertools.count(1)

    def do(self, what: str, number: int, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Do something with an object, and return the result, or where it is."""
        actual = [self._actual(argument) for argument in arguments]
        actual_named = {name: self._actual(value) for name, value in named.items()}
        value = _OPERATORS[what](self._objects[number], *actual, **actual_named)
        if what in _PARTS and not _is_constant(value):
            return self.reference(value)  # a copy would not be the world's
        return self.sendable(value)

    def sendable(self, value: Any) -> Any:
        """Return a value if it can be sent, and otherwise where it is."""
        if isinstance(value, mock.NonCallableMock):
            return self.reference(value)
        try:
            messages.check(value)
        except Unsendable:
            return self.reference(value)
        return value

    def reference(self, value: object) -> Reference:
        """Return where an object is."""
        for number, known in self._objects.items():
            if known is value:
                return Reference(number)
        number = next(self._numbers)
        self._objects[number] = value
        return Reference(number)

    def shared(self, module: str, path: str, value: Any) -> Shared:
        """Return what another process has to put into a variable, or into its attribute."""
        if type(value) in _PLAIN:
            return Shared(module, path, value, is_plain=True)
        if isinstance(value, FunctionType) and _is_findable(value):
            return Shared(module, path, value, is_plain=True)
        return Shared(module, path, self.reference(value))

    def _actual(self, value: Any) -> Any:
        return self._objects[value.number] if isinstance(value, Reference) else value


class Reference:
    """The place of an object of the world.

    Parameters:
        number: its number there.
    """

    def __init__(self, number: int) -> None:
        self.number = number


def variables() -> Variables:
    """Return the variables of the user's modules and of those that they use, and what is in them.

    What is in one are the attributes of a class or an object, which tests replace as well.
    """
    known: Variables = {}
    for module in memory.modules():
        for name, value in list(vars(module).items()):
            known[module.__name__, name] = value
            if is_defined_by_user(value) or isinstance(value, SimpleNamespace):
                for attribute, inner in list(getattr(value, "__dict__", {}).items()):
                    known[module.__name__, f"{name}.{attribute}"] = inner
    return known


def shared(before: Variables, world: object, exchange: Exchange) -> list[Shared]:
    """Return the variables of modules that a world has replaced, and those that are a part of it.

    Parameters:
        before: the variables before there was the world.
        world: what it yields.
    """
    parts = {id(part) for part in parts_of(world)}
    return [
        exchange.shared(*key, value)
        for key, value in variables().items()
        if _is_replaced(key, value, before) or (id(value) in parts and is_users(key[0]))
    ]


def parts_of(world: object) -> list[object]:
    """Return what a world yields, and what that holds, as far as it may change."""
    known: dict[int, object] = {}
    waiting = [(world, 0)]
    while waiting:
        part, depth = waiting.pop()
        if isinstance(part, (*_PLAIN, type, FunctionType, ModuleType)) or id(part) in known:
            continue
        known[id(part)] = part
        if depth < _DEEPEST and len(known) < _MOST_PARTS:
            waiting += [(inner, depth + 1) for inner in _held_by(part)]
    return list(known.values())


def closed_over(function: object, world: object, exchange: Exchange) -> dict[CellPath, Reference]:
    """Return where the objects of a world are that a function has closed over, by the way to them.

    Parameters:
        world: what it yields.
    """
    parts = {id(part) for part in parts_of(world)}
    return {
        path: exchange.reference(cell.cell_contents)
        for path, cell in _cells(function)
        if id(cell.cell_contents) in parts
    }


def owners_of(function: object) -> list[object]:
    """Return the objects whose methods a function is, or calls from what it has closed over."""
    inside = [cell.cell_contents for _, cell in _cells(function)]
    return [one.__self__ for one in (function, *inside) if isinstance(one, MethodType)]


def _cells(function: object) -> Iterator[tuple[CellPath, Any]]:
    """Yield the variables that a function has closed over, and those of the functions in them."""
    seen: set[int] = set()
    waiting: list[tuple[CellPath, object]] = [((), function)]
    while waiting:
        path, one = waiting.pop()
        if id(one) in seen or not isinstance(one, FunctionType | MethodType | functools.partial):
            continue
        seen.add(id(one))
        inner = getattr(one, "func", None) or getattr(one, "__func__", None)
        waiting += [((*path, "function"), inner)]
        waiting += [((*path, name), value) for name, value in vars(one).items()]
        names = one.__code__.co_freevars if isinstance(one, FunctionType) else ()
        for name, cell in zip(names, getattr(one, "__closure__", None) or (), strict=False):
            with suppress(ValueError):  # not bound yet
                waiting.append(((*path, name), cell.cell_contents))
                yield (*path, name), cell


def _held_by(part: object) -> list[object]:
    if isinstance(part, list | tuple | set):
        return list(part)
    if isinstance(part, Mapping):
        return list(part.values())
    has_parts = is_users_object(part) or isinstance(part, SimpleNamespace)
    return list(vars(part).values()) if has_parts else []


def _is_replaced(key: tuple[str, str], value: object, before: Variables) -> bool:
    if key not in before or before[key] is value or key[1].startswith("__"):
        return False
    if "." in key[1] and isinstance(value, _PLAIN):
        return False  # an object that changes itself
    if memory.is_equal(before[key], value):
        return False  # reset, to what it is in a process that begins
    # Libraries keep caches in their variables. What a test puts there is of its own making.
    is_of_test = isinstance(value, mock.NonCallableMock) or is_defined_by_user(value)
    return is_of_test or is_users(key[0])


def _is_constant(value: object) -> bool:
    """Return whether a part of an object may be sent, as nobody can change it."""
    if isinstance(value, FunctionType):
        return _is_findable(value)
    return isinstance(value, (*_CONSTANT, type, ModuleType))


def _is_findable(function: FunctionType) -> bool:
    module = sys.modules.get(function.__module__)
    return vars(module).get(function.__qualname__) is function if module else False


# == in the process of an invocation ======================================================

_Ask = Callable[..., Any]
_asking: list[_Ask] = []


@contextmanager
def reached(ask: _Ask) -> Iterator[None]:
    """Context manager in which every `Remote` of this process reaches its object.

    Parameters:
        ask: asks the process of the world.
    """
    _asking.append(ask)
    try:
        yield
    finally:
        _asking.remove(ask)


def put(variables: Sequence[Shared]) -> None:
    """Put what the world shares into the modules of this process."""
    for one in variables:
        *path, name = one.path.split(".")
        owner: Any = sys.modules.get(one.module)
        for part in path:
            owner = getattr(owner, part, None)
        if owner is not None:
            value = one.value if one.is_plain else _here(one.value)
            setattr(owner, name, _method(value) if isinstance(owner, type) else value)


def put_into(function: object, parts: Mapping[CellPath, Reference]) -> None:
    """Put what the world shares into what a function has closed over, and the functions in there.

    Parameters:
        parts: where the objects are; see `closed_over`.
    """
    for path, cell in _cells(function):
        if path in parts:
            cell.cell_contents = _here(parts[path])


def _method(value: Any) -> Any:
    """Return a value as an attribute of a class: a function there receives the object."""
    if not isinstance(value, Remote):
        return value

    def call(*arguments: Any, **named: Any) -> Any:
        return value(*arguments, **named)

    return call


def _here(value: Any) -> Any:
    return Remote(value.number) if isinstance(value, Reference) else value


def _there(value: Any) -> Any:
    return Reference(value._number) if isinstance(value, Remote) else value  # noqa: SLF001


class Remote:
    """An object in the process of the world.

    Parameters:
        number: its number there.
    """

    def __init__(self, number: int) -> None:
        object.__setattr__(self, "_number", number)

    def _do(self, what: str, *arguments: Any, **named: Any) -> Any:
        if not _asking:
            raise RuntimeError("the world of this object has ended")
        sent = tuple(_there(argument) for argument in arguments)
        sent_named = {name: _there(value) for name, value in named.items()}
        return _here(_asking[-1]("fake", what, self._number, sent, sent_named))

    def __getattr__(self, name: str) -> Any:
        return self._do("get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._do("set", name, value)

    def __call__(self, *arguments: Any, **named: Any) -> Any:  # noqa: D102 - as on any object
        return self._do("call", *arguments, **named)

    def __getitem__(self, key: Any) -> Any:
        return self._do("item", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._do("set item", key, value)

    def __delitem__(self, key: Any) -> None:
        self._do("del item", key)

    def __len__(self) -> int:
        return int(self._do("len"))

    def __iter__(self) -> Iterator[Any]:
        return iter([_here(value) for value in self._do("iter")])

    def __next__(self) -> Any:
        return self._do("next")

    def __contains__(self, value: Any) -> bool:
        return bool(self._do("in", value))

    def __bool__(self) -> bool:
        return bool(self._do("bool"))

    def __eq__(self, other: object) -> bool:
        return bool(self._do("eq", other))

    def __hash__(self) -> int:
        return hash(("remote", self._number))

    def __str__(self) -> str:
        return str(self._do("str"))

    def __repr__(self) -> str:
        return str(self._do("repr"))

    def __enter__(self) -> Any:
        return self._do("enter")

    def __exit__(self, *arguments: Any) -> Any:
        return self._do("exit", *arguments)

    def __iadd__(self, other: Any) -> Any:
        return self._do("iadd", other)
