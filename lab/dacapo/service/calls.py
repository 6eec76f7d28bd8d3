"""Invocations of plain functions, as Lambda makes them: synchronous, or queued with retries."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_durable_execution_sdk_python.lambda_service import ErrorObject

from dacapo.process import randomness
from dacapo.service import quotas
from dacapo.service.callers import Callers
from dacapo.service.clock import Clock
from dacapo.service.functions import HANDLER_FAILURES, Function


@dataclass(frozen=True)
class Call:
    """One invocation of a plain function, with its payload and result as JSON."""

    at: datetime
    function: str
    payload: str
    result: str | None
    error: ErrorObject | None


class Calls:
    """Invokes plain functions, and records every call in `completed`.

    Parameters:
        seed: seed of the request IDs.
    """

    def __init__(self, clock: Clock, callers: Callers, seed: int) -> None:
        self._clock = clock
        self._callers = callers
        self._seed = seed
        self.completed: list[Call] = []
        self.dead_letters: list[Call] = []

    def call(self, function: Function, payload: str) -> Call:
        """Invoke a plain function with `payload` (JSON), and return the recorded call."""
        at = self._clock.now
        context = function.context(
            randomness.uuid_from("call", self._seed, len(self.completed)), self._clock
        )
        result, error = None, None
        try:
            with self._callers.acting_as(function.name):
                value = function.handler(json.loads(payload), context)
            result = json.dumps(value)
        except HANDLER_FAILURES as failure:
            error = ErrorObject(str(failure), type(failure).__name__, None, None)
        call = Call(at, function.name, payload, result, error)
        self.completed.append(call)
        return call

    def call_later(self, function: Function, payload: str, failures: int = 0) -> None:
        """Queue an asynchronous invocation; after two failed retries it becomes a dead letter.

        Parameters:
            failures: how often this invocation has failed already.
        """
        delay = quotas.ASYNCHRONOUS_RETRIES[failures - 1] if failures else timedelta(0)

        def attempt() -> None:
            call = self.call(function, payload)
            if call.error is None:
                return
            if failures < len(quotas.ASYNCHRONOUS_RETRIES):
                self.call_later(function, payload, failures + 1)
            else:
                self.dead_letters.append(call)

        self._clock.schedule(delay, attempt, f"call of {function.name}")
