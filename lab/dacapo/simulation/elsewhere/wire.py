"""What a process that runs an invocation and the process of the world say to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import ErrorObject


@dataclass(frozen=True)
class Location:
    """The place at which another process finds a handler.

    Parameters:
        module: its module; "" if a target names its scenario.
        file: the module's file.
        path: its variable, with the way from there, joined by dots.
        target: names the scenario instead.
        function: the name of the function in the scenario.
    """

    module: str = ""
    file: str = ""
    path: str = ""
    target: str = ""
    function: str = ""


@dataclass(frozen=True)
class Shared:
    """A variable that the world has replaced, or that is a part of it.

    Parameters:
        module, path: the variable, or the attribute of one.
        value: what it holds now, if that is plain; otherwise it is reached over the wire.
        is_plain: whether it is plain.
    """

    module: str
    path: str
    value: Any = None
    is_plain: bool = False


@dataclass(frozen=True)
class Job:
    """One invocation, to be run in another process.

    Parameters:
        location: where the handler is; None if that process has it already.
        function: the function's name.
        first: ARN of the execution with which the run began.
        event: what the handler receives.
        context: members of its Lambda context.
        region: the region of the run.
        seed: seed of the run.
        turn: the number of the invocation in the run, from 1.
        now: virtual time.
        deadline: virtual time at which the invocation times out.
        environment: environment variables; None if the process has them already.
        folder, path: working directory, and `sys.path`.
        shared: what the world shares.
        closed_over: where its objects are that the handler has closed over, by the way to them.
        has_outages: whether services may be out during the run.
        observers: makes what observes the invocation.
        bodies: how often the body of each step ran before.
    """

    location: Location | None
    function: str
    first: str
    event: dict[str, Any]
    context: dict[str, Any]
    region: str
    seed: int
    turn: int
    now: datetime
    deadline: datetime
    environment: dict[str, str] | None
    folder: str
    path: list[str]
    shared: list[Shared]
    closed_over: Mapping[tuple[str, ...], Any]
    has_outages: bool
    observers: Callable[..., Any]
    bodies: Mapping[str, int]


@dataclass(frozen=True)
class Prepare:
    """A request to import and read what invocations will need, once for all of them.

    Parameters:
        modules: to import.
        services: of AWS, whose models are read.
        path: `sys.path`.
    """

    modules: Sequence[str]
    services: Sequence[str]
    path: Sequence[str]


@dataclass(frozen=True)
class Ask:
    """A question to the process of the world.

    Parameters:
        kind: what is asked for.
        arguments: its parameters.
        seen: what was observed since the last message.
        files: what the invocation has created outside its own folder so far.
    """

    kind: str
    arguments: tuple[Any, ...]
    seen: Any = None
    files: Sequence[str] = ()


@dataclass(frozen=True)
class Answer:
    """The answer to a question.

    Parameters:
        content: the answer, or the error.
        is_error: whether it is an error.
        now: virtual time.
        effects: what fakes reported on the way: service, operation and request of each.
    """

    content: Any
    is_error: bool
    now: datetime
    effects: list[tuple[str, str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Done:
    """The invocation has ended.

    Parameters:
        output: what the handler returned.
        error: what Lambda reports instead.
        seen: what was observed since the last message.
        lacks: why it could not be run, or what of the lab's ended it; "" if it ended by itself.
        files: what it created in folders that all processes share.
    """

    output: Any = None
    error: ErrorObject | None = None
    seen: Any = None
    lacks: str = ""
    files: list[str] = field(default_factory=list)
