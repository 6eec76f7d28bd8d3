"""The functions of a run, by name, and what a handler is given to know where it runs."""

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
"""The version that every name and alias leads to: a run has one version of the code."""

Handler = Callable[[Any, Any], Any]

Died = (Exception, SystemExit)
"""What ends one invocation and no more; everything else (Ctrl-C, a refusal to reach the network)
ends the run."""

_FUNCTION_NAME = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):)?"
    r"(?:function:)?(?P<name>[a-zA-Z0-9-_.]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?"
)


def function_arn(name: str) -> str:
    """The ARN of a function of the run, without a version."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


@dataclass(frozen=True)
class Function:
    """A function that can be started, invoked or answered with.

    Parameters:
        handler: the handler, as Lambda would import it.
        name: the function's name.
        is_durable: whether it was made with `durable_execution`.
        execution_timeout: bound of one durable execution; at most 366 days.
        timeout: bound of one invocation; at most 15 minutes.
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
        """What the handler is told of an invocation that begins now."""
        deadline = clock.now + self.timeout
        return LambdaContext(request_id, self.name, lambda: deadline - clock.now)


@dataclass
class LambdaContext:
    """The context that Lambda hands to a handler.

    Parameters:
        aws_request_id: the invocation's id.
        function_name: the function's name.
        remaining: gives the time until the invocation times out.
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
        """Milliseconds until the invocation times out."""
        return max(0, int(self.remaining().total_seconds() * 1000))

    def log(self, msg: object) -> None:
        """Lambda writes this to the log; a run keeps no log."""


class Functions:
    """Functions by name, found in any form in which Lambda accepts one."""

    def __init__(self) -> None:
        self._by_name: dict[str, Function] = {}

    def add(self, function: Function) -> None:
        """Register a function under its name."""
        self._by_name[function.name] = function

    def find(self, name: str, qualifier: str | None = None) -> tuple[Function, str | None]:
        """The function that `name` (a name, partial or full ARN) leads to, and its qualifier.

        Raises:
            ServiceError: the name is malformed, or no such function is part of the run.
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
