"""One run's machinery, put up and taken down: clock, service, functions, seeds and guards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from dacapo import boto, chance, safety
from dacapo.scenario import Scenario
from dacapo.sdk_internals.installed import is_durable, runs_user_code
from dacapo.sdk_internals.simulated import in_simulation
from dacapo.service.clock import Clock
from dacapo.service.errors import modelled
from dacapo.service.functions import Function, Functions, Handler
from dacapo.service.invocations import Invocations
from dacapo.service.public_api import PublicApi
from dacapo.service.service import DurableService


class Simulation:
    """A service with its clock and functions, at one place.

    Parameters:
        seed: what everything random in the run is made from.
        start: the virtual time at which it begins.
        branches: what the order of branches is made from; None for the seed.
    """

    def __init__(self, seed: int, start: datetime, branches: int | None = None) -> None:
        self.seed = seed
        self.branches = seed if branches is None else branches
        self.clock = Clock(start)
        self.functions = Functions()
        self.service = DurableService(self.clock, self.functions, seed)
        self.invocations = Invocations(self.service)
        self.api = PublicApi(self.service)

    def add_function(self, name: str, handler: Handler, **options: Any) -> Function:
        """Register a handler under a name.

        Parameters:
            options: further fields of `Function`.
        """
        function = Function(handler, name, is_durable(handler), **options)
        self.functions.add(function)
        return function

    @contextmanager
    def running(self) -> Iterator[None]:
        """While this lasts, process clock, chance, SDK and boto3 belong to this simulation."""
        with (
            safety.guarded(),
            self.clock.drives_process(),
            patch.object(time, "sleep", self._sleeper(time.sleep)),
            chance.seeded(self.seed),
            in_simulation(self.branches),
            boto.answered_by(self.api),
        ):
            yield

    def _sleeper(self, really_sleep: Callable[[float], None]) -> Callable[[float], None]:
        driver = threading.current_thread()

        def sleep(seconds: float) -> None:
            # A thread that is not ours (a server of the world, say) keeps to real time.
            thread = threading.current_thread()
            if thread is driver or runs_user_code(thread):
                self.service.actors.settle()
                self.clock.sleep(seconds)
            else:
                really_sleep(seconds)

        return sleep


@contextmanager
def world_of(scenario: Scenario, seed: int, later: timedelta = timedelta(0)) -> Iterator[None]:
    """While this lasts, a scenario's world is there, in a simulation in which nothing is started.

    Parameters:
        later: how long after the scenario's start.
    """
    with Simulation(seed, scenario.start + later).running(), scenario.world():
        yield


def fail_next_calls(operation: str, error: str, times: int = 1) -> None:
    """Let the next calls of an API operation fail, in the run that is under way.

    Parameters:
        operation: the operation's name in the model, `SendDurableExecutionCallbackSuccess` for
            example.
        error: the exception's name in the model, `TooManyRequestsException` for example.
        times: how many calls fail.

    Raises:
        ValueError: the API has no exception of this name.
        RuntimeError: no run is under way.
    """
    boto.active().fail_next(operation, modelled(error, "simulated"), times)
