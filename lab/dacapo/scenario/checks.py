"""Refuse what cannot be run, with what to write instead; every check raises a `ScenarioError`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import timedelta

from dacapo.errors import ScenarioError
from dacapo.sdk.installed import is_durable


def require(is_right: bool, message: str) -> None:
    """Check a condition.

    Raises:
        ScenarioError: with this message, if it does not hold.
    """
    if not is_right:
        raise ScenarioError(message)


def check_handler(handler: object) -> None:
    """Check that a handler is durable."""
    require(
        callable(handler) and is_durable(handler),
        f"handler must be a durable handler, not {described(handler)}: decorate it with "
        "@durable_execution, or make it one of the scenario's functions",
    )


def check_waivers(waives: object) -> None:
    """Check that every experiment that is waived has a reason."""
    check_mapping(waives, "waives", "experiment")
    for name, reason in waives.items():  # type: ignore[attr-defined] # checked
        require(
            isinstance(reason, str) and bool(reason.strip()),
            f"waives[{name!r}] must be the reason why the experiment need not be made, not "
            f"{reason!r}",
        )


def check_mapping(value: object, member: str, key: str) -> None:
    """Check that a value is a mapping by text.

    Parameters:
        member: the parameter of the scenario that it is.
        key: what its keys are.
    """
    require(
        isinstance(value, Mapping) and all(isinstance(name, str) for name in value),
        f"{member} must map each {key} (a str) to its value, not be {value!r}",
    )


def check_world(world: object) -> None:
    """Check that a world is a function that may return a context manager."""
    is_built = hasattr(world, "__enter__") and not isinstance(world, type)
    require(
        callable(world) and not is_built and not inspect.isgeneratorfunction(world),
        f"world must be a function that returns a context manager, not {described(world)}: "
        "decorate it with @contextmanager, and pass the function, not its result",
    )


def check_positive(length: object, what: str) -> None:
    """Check that a length of time is more than 0."""
    require(
        isinstance(length, timedelta) and length > timedelta(0),
        f"{what} must be a positive timedelta, not {length!r}: write timedelta(hours=6), for "
        "example",
    )


def check_after(after: object, what: str) -> None:
    """Check that a length of time is 0 or more."""
    require(
        isinstance(after, timedelta) and after >= timedelta(0),
        f"{what} must be a timedelta that is not negative, not {after!r}: write "
        "timedelta(hours=6), for example",
    )


def described(value: object) -> str:
    """Return the name of a function or a class, or else the value itself, as text."""
    return str(getattr(value, "__qualname__", None) or repr(value))
