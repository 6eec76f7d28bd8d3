"""Functions of a run, by name, and the Lambda context that their handlers receive."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dacapo.service import quotas
from dacapo.service.clock import Clock
from dacapo.service.errors import invalid, not_found

ACCOUNT = "123456789012"
REGION = "us-east-1"
VERSION = "1"
"""The version that every name and alias resolves to: a run has one version of the code."""

Handler = Callable[[Any, Any], Any]

HANDLER_FAILURES = (Exception, SystemExit)
"""Exceptions that end a single invocation; any other one (Ctrl-C, a refused connection) ends the
run."""

_FUNCTION_NAME = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):)?"
    r"(?:function:)?(?P<name>[a-zA-Z0-9-_.]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?"
)


def function_arn(name: str) -> str:
    """Return the ARN of a function of the run, without a version."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


@dataclass(frozen=True)
class Function:
    """A function that can be started or invoked.

    Parameters:
        handler: the handler, as Lambda would import it.
        name: the function's name.
        is_durable: whether `durable_execution` decorates the handler.
        execution_timeout: limit of one durable execution; at most 366 days.
        timeout: limit of one invocation; at most 15 minutes.
    """

    handler: Handler
    name: str
    is_durable: bool
    execution_timeout: timedelta | None = None
    timeout: timedelta = quotas.INVOCATION

    @property
    def arn(self) -> str:
        """The function's ARN, without a version."""
        return function_arn(self.name)

    def context(self, request_id: str, clock: Clock) -> LambdaContext:
        """Return the Lambda context of an invocation that starts now."""
        deadline = clock.now + self.timeout
        return LambdaContext(request_id, self.name, lambda: deadline - clock.now)


@dataclass
class LambdaContext:
    """The context that Lambda passes to a handler.

    Parameters:
        aws_request_id: the invocation's ID.
        function_name: the function's name.
        remaining: returns the time until the invocation times out.
    """

    aws_request_id: str
    function_name: str
    remaining: Callable[[], timedelta] = lambda: quotas.INVOCATION
    function_version: str = VERSION
    memory_limit_in_mb: str = "128"
    log_group_name: str | None = None
    log_stream_name: str | None = None
    tenant_id: str | None = None
    client_context: Any = None
    identity: Any = None

    def __post_init__(self) -> None:
        self.invoked_function_arn = f"{function_arn(self.function_name)}:{self.function_version}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the invocation times out."""
        return max(0, int(self.remaining().total_seconds() * 1000))

    def log(self, msg: object) -> None:
        """Discard a log message; a run keeps no log."""


class Functions:
    """Functions by name, looked up in any form that Lambda accepts."""

    def __init__(self) -> None:
        self._by_name: dict[str, Function] = {}

    def add(self, function: Function) -> None:
        """Register a function under its name."""
        self._by_name[function.name] = function

    def find(self, name: str, qualifier: str | None = None) -> tuple[Function, str | None]:
        """Return the function with this name, partial or full ARN, and its qualifier.

        Raises:
            ServiceError: the name is malformed, or the run has no such function.
        """
        match = _FUNCTION_NAME.fullmatch(name)
        if match is None:
            raise invalid(f"Invalid function ARN '{name}'")
        if match["region"] not in (None, REGION) or match["account"] not in (None, ACCOUNT):
            raise invalid(f"{name} is in another account or region than this run ({REGION}).")
        function = self._by_name.get(match["name"])
        if function is None:
            known = ", ".join(sorted(self._by_name)) or "none"
            raise not_found(f"Function not found: {name} (functions of this run: {known})")
        return function, qualifier or match["qualifier"]
