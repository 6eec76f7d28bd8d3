"""Plain Lambda functions in virtual time, with Lambda's retries: the stage for the baselines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

import boto3

from dacapo import START, Handler, Simulation

lambda_client = boto3.client("lambda")

MAX_EVENTS = 10_000
"""Events after which we give up on a system that never becomes idle."""


class Stage:
    """Lambda, as seen by functions that are not durable.

    A failed asynchronous invocation is retried twice and then becomes a dead letter, as in Lambda.
    """

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation

    def call(self, function: str, event: Any) -> Any:
        """Invoke a function synchronously; return its result, or None if it failed."""
        response = lambda_client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        return None if response.get("FunctionError") else json.loads(response["Payload"].read())

    def send(self, function: str, event: Any) -> None:
        """Invoke a function asynchronously: it runs when time passes."""
        lambda_client.invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode()
        )

    def pass_time(self, seconds: float) -> None:
        """Advance virtual time, and run everything that falls due."""
        self.simulation.clock.sleep(seconds)

    def play(self) -> None:
        """Run everything that is due, now or later, until the system is idle.

        Raises:
            AssertionError: it is still not idle after 10,000 events.
        """
        clock = self.simulation.clock
        for _ in range(MAX_EVENTS):
            if clock.is_idle():
                return
            clock.run_next()
        raise AssertionError(f"the system is not idle after {MAX_EVENTS:,} events")

    def calls_of(self, function: str) -> int:
        """Return the number of invocations of a function."""
        return sum(call.function == function for call in self.simulation.service.calls.completed)

    @property
    def dead_letters(self) -> int:
        """Number of asynchronous invocations whose retries are exhausted."""
        return len(self.simulation.service.calls.dead_letters)


@contextmanager
def on_stage(
    world: Callable[[], AbstractContextManager[Any]],
    functions: Mapping[str, Handler],
    start: datetime = START,
) -> Iterator[tuple[Stage, Any]]:
    """Context manager that runs functions in a world, and yields the stage and the world.

    Parameters:
        world: builds the world.
        functions: handler by function name; plain or durable.
        start: the virtual time at the start.
    """
    simulation = Simulation(0, start)
    for name, handler in functions.items():
        simulation.add_function(name, handler)
    with simulation.running(), world() as built:
        yield Stage(simulation), built
