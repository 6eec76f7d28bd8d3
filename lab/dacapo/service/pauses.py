"""Pausing and resuming executions.

While an execution is paused, no invocation begins, but waits, retries and callbacks go on (model:
PauseDurableExecution). An invocation that runs when the pause is requested continues until its next
checkpoint: that is stored, and answered without a token, which makes the SDK end the invocation as
PENDING (developer guide). Resuming makes the invocation that the pause held back, if any.
"""

from __future__ import annotations

import re
from datetime import datetime

from dacapo.service import quotas
from dacapo.service.errors import conflict, invalid
from dacapo.service.execution import Execution, Pause
from dacapo.service.executions import Executions

_CLIENT_TOKEN = re.compile(rf"[\x21-\x7E]{{1,{quotas.CLIENT_TOKEN_LENGTH}}}")


class Pauses:
    """Pauses and resumes the executions of a service."""

    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self._requests: dict[tuple[object, ...], datetime] = {}

    def pause(
        self,
        arn: str,
        *,
        reason: str | None = None,
        stops_timeout: bool = True,
        client_token: str | None = None,
    ) -> None:
        """Pause a running execution, now or at the next checkpoint of its running invocation.

        Parameters:
            reason: why, for the history; at most 1,024 characters.
            stops_timeout: whether the execution timeout is extended by the time spent paused.
            client_token: a repeated request with this token changes nothing, for 15 minutes.

        Raises:
            ServiceError: there is no such execution, it has ended or is paused, or a parameter is
                invalid.
        """
        execution = self._executions.find(arn)
        if self._is_repeated(client_token, ("pause", arn, reason, stops_timeout)):
            return
        _check_reason(reason)
        if not execution.is_running or execution.pause is not None:
            raise conflict(f"Cannot pause an execution that is {execution.execution_status.value}.")
        execution.pause = Pause(self._executions.clock.now, reason, stops_timeout)
        self._remember(client_token, ("pause", arn, reason, stops_timeout))
        if not execution.is_invoked:
            self.settle(execution)

    def resume(
        self, arn: str, *, reason: str | None = None, client_token: str | None = None
    ) -> None:
        """Resume a paused execution, or cancel a pause that has not begun.

        A canceled pause leaves no event, because the execution never paused.

        Parameters:
            reason: why, for the history; at most 1,024 characters.
            client_token: a repeated request with this token changes nothing, for 15 minutes.

        Raises:
            ServiceError: there is no such execution, it is not paused, or a parameter is invalid.
        """
        execution = self._executions.find(arn)
        if self._is_repeated(client_token, ("resume", arn, reason)):
            return
        _check_reason(reason)
        if execution.pause is None:
            status = execution.execution_status.value
            raise conflict(f"Cannot resume an execution that is {status}.")
        self._remember(client_token, ("resume", arn, reason))
        pause, execution.pause = execution.pause, None
        if pause.began is not None:
            self._end(execution, pause, reason)

    def settle(self, execution: Execution) -> None:
        """Let a requested pause begin; do nothing if there is none, or it has begun."""
        pause, now = execution.pause, self._executions.clock.now
        if pause is None or pause.began is not None:
            return
        pause.began = now
        if execution.wake_up is not None:
            self._executions.clock.cancel(execution.wake_up)
            execution.wake_up = None
            execution.owes_invocation = True
        root = execution.operations[execution.invocation_id]
        execution.log.execution_paused(
            root, now, pause.requested, pause.reason, stops_timeout=pause.stops_timeout
        )
        if pause.stops_timeout:
            self._executions.start_timeout(execution)

    def interrupt(self, execution: Execution) -> bool:
        """Let a requested pause begin at a checkpoint, and return whether it did.

        The invocation that sent the checkpoint can send no other one, and is made up for later.
        """
        if execution.pause is None or not execution.is_running:
            return False
        self.settle(execution)
        execution.owes_invocation = True
        execution.renew_token()
        return True

    def _end(self, execution: Execution, pause: Pause, reason: str | None) -> None:
        now = self._executions.clock.now
        root = execution.operations[execution.invocation_id]
        execution.log.execution_resumed(root, now, reason)
        if pause.stops_timeout and pause.began is not None:
            execution.paused_for += now - pause.began
            self._executions.start_timeout(execution)
        if execution.owes_invocation:
            self._executions.wake(execution)

    def _is_repeated(self, token: str | None, request: tuple[object, ...]) -> bool:
        if token is not None and not _CLIENT_TOKEN.fullmatch(token):
            limit = quotas.CLIENT_TOKEN_LENGTH
            raise invalid(f"ClientToken must be 1 to {limit} visible ASCII characters.")
        first = self._requests.get((token, *request)) if token else None
        now = self._executions.clock.now
        return first is not None and now - first <= quotas.CLIENT_TOKEN_WINDOW

    def _remember(self, token: str | None, request: tuple[object, ...]) -> None:
        if token:
            self._requests[(token, *request)] = self._executions.clock.now


def _check_reason(reason: str | None) -> None:
    if reason is not None and len(reason) > quotas.REASON_LENGTH:
        raise invalid(f"Reason must be at most {quotas.REASON_LENGTH} characters.")
