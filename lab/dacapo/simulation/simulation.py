"""The machinery of one run, set up and torn down: clock, service, functions, seed and guards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from dacapo.process import randomness
from dacapo.scenario import Scenario
from dacapo.sdk.deterministic import in_simulation
from dacapo.sdk.installed import is_durable, runs_user_code
from dacapo.service.clock import Clock
from dacapo.service.errors import modeled
from dacapo.service.functions import Function, Functions, Handler
from dacapo.service.invocations import Invocations
from dacapo.service.public_api import PublicApi
from dacapo.service.service import DurableService
from dacapo.simulation import boto, network_guard


class Simulation:
    """A service with its clock, its functions and its public API.

    Parameters:
        seed: seed of everything random in the run.
        start: virtual time at which it begins.
        branches: seed of the order of branches; None for `seed`.
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
            name: the function name.
            handler: the handler.
            options: further fields of `Function`.
        """
        function = Function(handler, name, is_durable(handler), **options)
        self.functions.add(function)
        return function

    @contextmanager
    def running(self) -> Iterator[None]:
        """Context manager that connects process clock, randomness, SDK and boto3 to this."""
        with (
            network_guard.guarded(),
            self.clock.driving_process(),
            patch.object(time, "sleep", self._sleeper(time.sleep)),
            randomness.seeded(self.seed),
            in_simulation(self.branches),
            boto.answered_by(self.api),
        ):
            yield

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Context manager that lets boto3 reach this simulation, and changes nothing else."""
        with boto.answered_by(self.api):
            yield

    def _sleeper(self, really_sleep: Callable[[float], None]) -> Callable[[float], None]:
        driver = threading.current_thread()

        def sleep(seconds: float) -> None:
            # A thread that is not ours (a server of the world, for example) uses real time.
            thread = threading.current_thread()
            if thread is driver or runs_user_code(thread):
                self.service.callers.flush()
                self.clock.sleep(seconds)
            else:
                really_sleep(seconds)

        return sleep


@contextmanager
def world_of(scenario: Scenario, seed: int, later: timedelta = timedelta(0)) -> Iterator[None]:
    """Context manager with a scenario's world, in a simulation that starts no execution.

    Parameters:
        scenario: the scenario.
        seed: seed of the simulation.
        later: virtual time since the scenario's start.
    """
    with Simulation(seed, scenario.start + later).running(), scenario.build_world():
        yield


def fail_next_calls(operation: str, error: str, times: int = 1) -> None:
    """Make the next calls of a Lambda API operation fail, in the active run.

    Parameters:
        operation: the operation's name in the model, for example
            `SendDurableExecutionCallbackSuccess`.
        error: the exception's name in the model, for example `TooManyRequestsException`.
        times: number of calls that fail.

    Raises:
        ValueError: the API has no exception of this name.
        RuntimeError: no run is active.
    """
    boto.active().fail_next(operation, modeled(error, "simulated"), times)
