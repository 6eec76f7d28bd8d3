"""The active run of this process.

The hooks of a process (botocore's events, the audit hook, the patched sources of randomness) are
installed once and can't be removed. So each of them looks up here what it currently serves, and
does nothing if there is nothing. This is the only module-level state of the lab.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, Protocol
from weakref import WeakSet

EffectListener = Callable[[str, str, Mapping[str, Any]], None]
"""Takes the service, the operation, and the request that is about to be sent."""
AuditListener = Callable[[str, tuple[Any, ...]], None]
"""Takes an audit event and its arguments; see `sys.addaudithook`."""


class Api(Protocol):
    """Answers the Lambda API calls of a run: its simulated service, or a stand-in."""

    def answer(self, operation: str, request: Any) -> Any:
        """Answer one call of an operation, by its name in botocore's model."""

    def caller(self) -> str:
        """Return the current caller: a function's name, or an outside party."""

    def execution(self) -> str:
        """Return the ARN of the execution that the current caller acts for; "" for none."""

    def first_execution(self) -> str:
        """Return the ARN of the execution with which the run began; "" before it has started."""

    def fail_next(self, operation: str, error: Any, times: int = 1) -> None:
        """Make the next calls of an operation fail."""


class Outages(Protocol):
    """The services of AWS that are out in a run: its own record, or a stand-in."""

    def begin(self, services: Sequence[str], lasts: timedelta, kind: str) -> None:
        """Let services fail from now on, for a while."""

    def failure(self, service: str, operation: str) -> str | None:
        """Return how a call fails that is made now; None if its service is not out."""


class Outside(Protocol):
    """The outside world of a run that a test drives, step by step."""

    def sleep(self, seconds: float) -> bool:
        """Let virtual time pass for this thread, and return True if the thread is the test's."""

    def wait_for(self, is_reached: Callable[[], bool], seconds: float) -> bool:
        """Let virtual time pass until a goal is reached, and return True if it is.

        Parameters:
            is_reached: returns whether it is; not called again once it was True.
            seconds: virtual time at most; negative for no limit.
        """

    def leave(self) -> None:
        """Give the process back its own clock; the run goes on when it is driven again."""


@dataclass
class ActiveRun:
    """The state that the hooks of this process serve.

    Parameters:
        api: answers Lambda API calls; None outside a run.
        seed: seed of the run's randomness; None outside a run.
        stream: randomness of the task that runs; None outside a run.
        scheduler: runs the tasks of the run; None outside a run.
        invocation_inputs: the inputs of the invocations under way; None outside a run.
        forward: sends AWS requests of other services elsewhere; None to leave them here.
        outages: the outages of the run; None for a run that cannot have any.
        outside: the outside world of a run that a test drives; None if there is none.
        test: the test whose executions are verified when it has ended; None for none.
        retry_quotas: quotas of boto3's clients from which the run has taken; None outside a run.
        identity: stands in for what tells one invocation from another; None for what it is.
        has_world: whether what listens on this machine is there; False where a handler is replayed
            without the world of its scenario.
        effect_listeners: listeners to AWS API calls, and to the effects that fakes report.
        undone_listeners: listeners to AWS API calls that had no effect.
        audit_listeners: listeners to audit events.
        audit_hook_installed: whether the process has the audit hook.
        replaced_environment: variables that importing dacapo replaced, with the values that the
            process came with; None for those that it did not have.
        thread: what belongs to each thread: the scheduler whose task it runs, and its origin if a
            handler started it.
    """

    api: Api | None = None
    seed: int | None = None
    stream: Any = None
    scheduler: Any = None
    invocation_inputs: Any = None
    forward: Callable[..., Any] | None = None
    outages: Outages | None = None
    outside: Outside | None = None
    test: Any = None
    retry_quotas: WeakSet[Any] | None = None
    identity: Any = None
    has_world: bool = True
    effect_listeners: tuple[EffectListener, ...] = ()
    undone_listeners: tuple[Callable[[object], None], ...] = ()
    audit_listeners: tuple[AuditListener, ...] = ()
    audit_hook_installed: bool = False
    replaced_environment: Mapping[str, str | None] = field(default_factory=dict)
    thread: threading.local = field(default_factory=threading.local)

    @contextmanager
    def serving(self, **parts: Any) -> Iterator[None]:
        """Context manager that replaces parts of the state, and restores them on exit."""
        previous = {part.name: getattr(self, part.name) for part in fields(self)}
        self._set(parts)
        try:
            yield
        finally:
            self._set({name: previous[name] for name in parts})

    @contextmanager
    def audited_by(self, listener: AuditListener) -> Iterator[None]:
        """Context manager that notifies one more listener of every audit event."""
        if not self.audit_hook_installed:
            sys.addaudithook(self._audit)
            self.audit_hook_installed = True
        with self.serving(audit_listeners=(*self.audit_listeners, listener)):
            yield

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        for listener in self.audit_listeners:
            listener(event, arguments)

    def _set(self, parts: Mapping[str, Any]) -> None:
        for name, value in parts.items():
            setattr(self, name, value)


ACTIVE = ActiveRun()
"""The active run of this process."""
