"""Functions of a run, by name, and the Lambda context that their handlers receive."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from dacapo.process.active_run import ACTIVE
from dacapo.scheduling.clock import Clock
from dacapo.service import quotas
from dacapo.service.errors import invalid, not_found

ACCOUNT = "123456789012"
REGION = "us-east-1"
VERSION = "1"
"""The version that an unqualified name and every alias resolve to: a run has one version of the
code."""
LATEST = "$LATEST"
"""The version that is not published; its functions are invoked without a qualifier."""

Handler = Callable[[Any, Any], Any]

HANDLER_FAILURES = (Exception, SystemExit)
"""Exceptions that end a single invocation; any other one (Ctrl-C, a refused connection) ends the
run."""

_FUNCTION_NAME = re.compile(
    r"(?P<arn>arn:(?:aws[a-zA-Z-]*)?:lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?(?:function:)?(?P<name>[a-zA-Z0-9-_.]+)"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
_QUALIFIER = re.compile(rf"\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_$]{{1,{quotas.QUALIFIER_LENGTH}}}")
_VERSION = re.compile(r"\$LATEST(\.PUBLISHED)?|[0-9]+")


def function_arn(name: str, region: str = REGION, account: str = ACCOUNT) -> str:
    """Return the ARN of a function, without a version."""
    return f"arn:aws:lambda:{region}:{account}:function:{name}"


def version_of(qualifier: str | None) -> str:
    """Return the version that a qualifier resolves to; every alias resolves to `VERSION`."""
    return qualifier if qualifier and _VERSION.fullmatch(qualifier) else VERSION


@dataclass(frozen=True)
class FunctionName:
    """A function's name in any form that Lambda accepts, in parts; None for what it omits."""

    name: str
    qualifier: str | None = None
    region: str | None = None
    account: str | None = None

    @classmethod
    def parse(cls, text: str) -> FunctionName:
        """Parse a name, a partial ARN or a full ARN (model: NamespacedFunctionName).

        Raises:
            ServiceError: it is malformed, or a full ARN lacks its region or account.
        """
        match = _FUNCTION_NAME.fullmatch(text)
        if match is None or len(text) > quotas.FUNCTION_NAME_LENGTH:
            raise invalid(f"Invalid function ARN '{text}'")
        if match["arn"] and not (match["region"] and match["account"]):
            raise invalid(f"Invalid function ARN '{text}'")
        return cls(match["name"], match["qualifier"], match["region"], match["account"])


@dataclass(frozen=True)
class Function:
    """A function that can be started or invoked.

    Parameters:
        handler: the handler, as Lambda would import it.
        name: the function's name.
        is_durable: whether `durable_execution` decorates the handler.
        execution_timeout: limit of one durable execution, at most 366 days; None if it is not set.
        timeout: limit of one invocation; at most 15 minutes.
        region, account: where the function is.
        qualifier: the version or alias by which it is invoked; None if it is unqualified. Of a
            registered function: the one that stands for none.
        tenant_id: the tenant for whom it is invoked; None for none.
    """

    handler: Handler
    name: str
    is_durable: bool
    execution_timeout: timedelta | None = None
    timeout: timedelta = quotas.INVOCATION
    region: str = REGION
    account: str = ACCOUNT
    qualifier: str | None = None
    tenant_id: str | None = None

    @property
    def arn(self) -> str:
        """The function's ARN, without a version."""
        return function_arn(self.name, self.region, self.account)

    @property
    def version(self) -> str:
        """The version that is executed."""
        return version_of(self.qualifier)

    def invoked_by(self, qualifier: str | None, tenant_id: str | None) -> Function:
        """Return this function as it is invoked: by a qualifier, and for a tenant."""
        return replace(self, qualifier=qualifier, tenant_id=tenant_id)

    def context(self, request_id: str, clock: Clock) -> LambdaContext:
        """Return the Lambda context of an invocation that starts now."""
        deadline = clock.now + self.timeout
        suffix = "" if self.version == LATEST else f":{self.version}"  # an ARN as it is invoked by
        return LambdaContext(
            request_id,
            self.name,
            lambda: deadline - clock.now,
            function_version=self.version,
            tenant_id=self.tenant_id,
            invoked_function_arn=f"{self.arn}{suffix}",
        )


@dataclass(frozen=True)
class InvocationIdentity:
    """Identifies an invocation among others, and its sandbox from other sandboxes.

    Parameters:
        request_id: the invocation's ID.
        log_stream: the sandbox's log stream.
        remaining: returns the time until the invocation times out.
    """

    request_id: str
    log_stream: str
    remaining: Callable[[], timedelta]


class LambdaContext:
    """The context that Lambda passes to a handler.

    What differs between invocations or sandboxes is a property, so that the verifier can see who
    reads it.

    Parameters:
        aws_request_id: the invocation's ID.
        function_name: the function's name.
        remaining: returns the time until the invocation times out.
        tenant_id: the tenant for whom the function is invoked; None for none.
        invoked_function_arn: the function's ARN with its version; "" for the default one.
        log_stream: of the sandbox; "" for one of the invocation's own.
    """

    def __init__(
        self,
        aws_request_id: str,
        function_name: str,
        remaining: Callable[[], timedelta] = lambda: quotas.INVOCATION,
        function_version: str = VERSION,
        *,
        tenant_id: str | None = None,
        invoked_function_arn: str = "",
        log_stream: str = "",
    ) -> None:
        log_stream = log_stream or f"[{function_version}]{aws_request_id.replace('-', '')}"
        self._identity = InvocationIdentity(aws_request_id, log_stream, remaining)
        self.function_name = function_name
        self.function_version = function_version
        self.memory_limit_in_mb = "128"
        self.log_group_name = f"/aws/lambda/{function_name}"
        self.tenant_id = tenant_id
        self.client_context: Any = None
        self.identity: Any = None
        arn = f"{function_arn(function_name)}:{function_version}"
        self.invoked_function_arn = invoked_function_arn or arn

    @property
    def aws_request_id(self) -> str:
        """The invocation's ID."""
        return (ACTIVE.identity or self._identity).request_id

    @aws_request_id.setter
    def aws_request_id(self, request_id: str) -> None:
        self._identity = replace(self._identity, request_id=request_id)

    @property
    def log_stream_name(self) -> str:
        """The log stream of the sandbox."""
        return (ACTIVE.identity or self._identity).log_stream

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the invocation times out."""
        remaining = (ACTIVE.identity or self._identity).remaining()
        return max(0, int(remaining.total_seconds() * 1000))

    def log(self, msg: object) -> None:
        """Discard a log message; a run keeps no log."""


class Functions:
    """Functions by name, looked up in any form that Lambda accepts.

    Parameters:
        region, account: where the functions are.
    """

    def __init__(self, region: str = REGION, account: str = ACCOUNT) -> None:
        self.region = region
        self.account = account
        self._by_name: dict[str, Function] = {}

    def add(self, function: Function) -> None:
        """Register a function under its name."""
        self._by_name[function.name] = function

    def find(self, name: str, qualifier: str | None = None) -> tuple[Function, str | None]:
        """Return the function with this name, partial or full ARN, and its qualifier.

        Raises:
            ServiceError: the name or the qualifier is malformed, the name has another qualifier, is
                in another account or region, or the run has no such function.
        """
        parsed = FunctionName.parse(name)
        if qualifier and not _QUALIFIER.fullmatch(qualifier):
            raise invalid(f"Invalid qualifier '{qualifier}'")
        if qualifier and parsed.qualifier not in (None, qualifier):
            raise invalid(
                "The derived qualifier from the function name does not match the specified "
                "qualifier."
            )
        if parsed.region not in (None, self.region) or parsed.account not in (None, self.account):
            raise invalid(f"{name} is in another account or region than this run ({self.region}).")
        qualifier = qualifier or parsed.qualifier
        function = self._by_name.get(f"{parsed.name}:{qualifier}", self._by_name.get(parsed.name))
        if function is None:
            known = ", ".join(sorted(self._by_name)) or "none"
            raise not_found(f"Function not found: {name} (functions of this run: {known})")
        return function, qualifier or function.qualifier
