"""Calls of plain functions, as Lambda makes them: at once, or queued and tried again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_durable_execution_sdk_python.lambda_service import ErrorObject

from dacapo import chance
from dacapo.service import quotas
from dacapo.service.actors import Actors
from dacapo.service.clock import Clock
from dacapo.service.functions import Died, Function


@dataclass(frozen=True)
class Call:
    """One call of a plain function: what it was given (JSON), and what came of it."""

    at: datetime
    function: str
    payload: str
    result: str | None
    error: ErrorObject | None


class Calls:
    """Calls plain functions, and keeps what came of it.

    Parameters:
        seed: what the calls' request ids are made from.
    """

    def __init__(self, clock: Clock, actors: Actors, seed: int) -> None:
        self._clock = clock
        self._actors = actors
        self._seed = seed
        self.made: list[Call] = []
        self.dead_letters: list[Call] = []

    def call(self, function: Function, payload: str) -> Call:
        """Call a plain function with `payload` (JSON)."""
        at = self._clock.now
        context = function.context(
            chance.uuid_from("call", self._seed, len(self.made)), self._clock
        )
        result, error = None, None
        try:
            with self._actors.acting(function.name):
                given = function.handler(json.loads(payload), context)
            result = json.dumps(given)
        except Died as died:
            error = ErrorObject(str(died), type(died).__name__, None, None)
        call = Call(at, function.name, payload, result, error)
        self.made.append(call)
        return call

    def call_later(self, function: Function, payload: str, failed: int = 0) -> None:
        """Queue an asynchronous call; one that fails is tried twice more, then a dead letter.

        Parameters:
            failed: how often this call has failed already.
        """
        delay = quotas.ASYNCHRONOUS_RETRIES[failed - 1] if failed else timedelta(0)

        def attempt() -> None:
            call = self.call(function, payload)
            if call.error is None:
                return
            if failed < len(quotas.ASYNCHRONOUS_RETRIES):
                self.call_later(function, payload, failed + 1)
            else:
                self.dead_letters.append(call)

        self._clock.schedule(delay, attempt, f"call of {function.name}")
