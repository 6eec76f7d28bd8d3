"""The machinery of one run, set up and torn down: clock, service, functions, seed and guards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from dacapo.lambda_api.public_api import PublicApi
from dacapo.process import randomness
from dacapo.scenario import Scenario
from dacapo.scheduling.clock import Clock
from dacapo.scheduling.scheduler import Scheduler
from dacapo.sdk.deterministic import in_simulation
from dacapo.sdk.installed import is_durable
from dacapo.service.errors import modeled
from dacapo.service.functions import ACCOUNT, REGION, Function, Functions, Handler
from dacapo.service.invocations import Invocations
from dacapo.service.service import DurableService
from dacapo.simulation import boto, network_guard


class Simulation:
    """A service with its clock, its functions and its public API.

    Parameters:
        seed: seed of everything random in the run.
        start: virtual time at which it begins.
        branches: seed of the order of branches; None for `seed`.
        region, account: where its functions are.
    """

    def __init__(
        self,
        seed: int,
        start: datetime,
        branches: int | None = None,
        region: str = REGION,
        account: str = ACCOUNT,
    ) -> None:
        self.seed = seed
        self.branches = seed if branches is None else branches
        self.clock = Clock(start)
        self.scheduler = Scheduler(self.clock, self.branches, seed)
        self.functions = Functions(region, account)
        self.service = DurableService(self.scheduler, self.functions, seed)
        self.invocations = Invocations(self.service)
        self.api = PublicApi(self.service)

    def add_function(self, name: str, handler: Handler, **options: Any) -> Function:
        """Register a handler under a name.

        Parameters:
            name: the function name.
            handler: the handler.
            options: further fields of `Function`.
        """
        region, account = self.functions.region, self.functions.account
        function = Function(
            handler, name, is_durable(handler), region=region, account=account, **options
        )
        self.functions.add(function)
        return function

    @contextmanager
    def running(self) -> Iterator[None]:
        """Context manager that connects process clock, randomness, SDK and boto3 to this.

        In the end, tasks that are left are abandoned.
        """
        with network_guard.in_region(self.functions.region), self.connected(abandons=True):
            yield

    @contextmanager
    def connected(self, *, abandons: bool = False) -> Iterator[None]:
        """Context manager as `running`, in the region that the process is in.

        Parameters:
            abandons: whether tasks that are left are abandoned in the end. If not, they go on when
                it is connected again.
        """
        with (
            network_guard.guarded(),
            self.clock.driving_process(),
            randomness.seeded(self.seed, self.scheduler.driver.stream),
            self.scheduler.driving(abandons=abandons),
            in_simulation(self.scheduler),
            boto.answered_by(self.api),
        ):
            yield

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Context manager that lets boto3 reach this simulation, and changes nothing else."""
        with boto.answered_by(self.api):
            yield


@contextmanager
def world_of(scenario: Scenario, seed: int, later: timedelta = timedelta(0)) -> Iterator[None]:
    """Context manager with a scenario's world, in a simulation that starts no execution.

    Parameters:
        scenario: the scenario.
        seed: seed of the simulation.
        later: virtual time since the scenario's start.
    """
    start, region, account = scenario.start + later, scenario.region, scenario.account
    simulation = Simulation(seed, start, region=region, account=account)
    with simulation.running(), scenario.build_world():
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
