"""Invocations of plain functions, as Lambda makes them: synchronous, or queued with retries."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_durable_execution_sdk_python.lambda_service import ErrorObject

from dacapo.process import randomness
from dacapo.service import quotas
from dacapo.service.callers import Caller
from dacapo.service.functions import Function
from dacapo.service.sandboxes import Outcome, Sandboxes


@dataclass(frozen=True)
class Call:
    """One invocation of a plain function, with its payload and result as JSON."""

    at: datetime
    function: str
    payload: str
    result: str | None
    error: ErrorObject | None
    request_id: str = ""


class Calls:
    """Invokes plain functions, and records every call in `completed`.

    Parameters:
        sandboxes: runs the handlers.
        seed: seed of the request IDs.
    """

    def __init__(self, sandboxes: Sandboxes, seed: int) -> None:
        self._sandboxes = sandboxes
        self._scheduler = sandboxes.scheduler
        self._seed = seed
        self._started = 0
        self.completed: list[Call] = []
        self.dead_letters: list[Call] = []

    def start(self, function: Function, payload: str, on_end: Callable[[Call], None]) -> None:
        """Invoke a plain function.

        Parameters:
            payload: the event as JSON.
            on_end: receives the recorded call when it has ended.
        """
        at = self._scheduler.clock.now
        request_id = randomness.uuid_from("call", self._seed, self._started)
        self._started += 1

        def end(outcome: Outcome) -> None:
            result, error = None, outcome.error
            if error is None:
                try:
                    result = json.dumps(outcome.output)
                except (TypeError, ValueError) as failure:
                    error = ErrorObject(str(failure), "Runtime.MarshalError", None, None)
            call = Call(at, function.name, payload, result, error, request_id)
            self.completed.append(call)
            on_end(call)

        context = function.context(request_id, self._scheduler.clock)
        caller = Caller(function.name)
        event = nullcontext(json.loads(payload))
        self._sandboxes.start(function, event, context, caller, end)

    def call(self, function: Function, payload: str) -> Call:
        """Invoke a plain function, wait for it, and return the recorded call."""
        calls: list[Call] = []
        waiter = self._scheduler.waiter()

        def end(call: Call) -> None:
            calls.append(call)
            waiter.wake()

        self.start(function, payload, end)
        waiter.wait()
        return calls[0]

    def call_later(self, function: Function, payload: str, failures: int = 0) -> None:
        """Queue an asynchronous invocation; after two failed retries it becomes a dead letter.

        Parameters:
            failures: how often this invocation has failed already.
        """
        delay = quotas.ASYNCHRONOUS_RETRIES[failures - 1] if failures else timedelta(0)

        def end(call: Call) -> None:
            if call.error is None:
                return
            if failures < len(quotas.ASYNCHRONOUS_RETRIES):
                self.call_later(function, payload, failures + 1)
            else:
                self.dead_letters.append(call)

        self._scheduler.clock.schedule(
            delay, lambda: self.start(function, payload, end), f"call of {function.name}"
        )
