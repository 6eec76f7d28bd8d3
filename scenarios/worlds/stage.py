"""Functions that were made by hand, in virtual time: Lambda calls them, and calls them again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

import boto3

from dacapo.scenario import START
from dacapo.service.functions import Handler
from dacapo.simulation import Simulation

lambda_client = boto3.client("lambda")

MOST_EVENTS = 10_000
"""Events after which a system is taken for one that never comes to rest."""


class Stage:
    """The Lambda around functions that know nothing of durable executions.

    An asynchronous call that fails is made twice more, and then is a dead letter, as Lambda does.
    """

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation

    def call(self, function: str, event: Any) -> Any:
        """Call a function and wait for what it gives; None if it failed."""
        answer = lambda_client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        return None if answer.get("FunctionError") else json.loads(answer["Payload"].read())

    def send(self, function: str, event: Any) -> None:
        """Call a function asynchronously: it runs when time passes."""
        lambda_client.invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode()
        )

    def pass_time(self, seconds: float) -> None:
        """Let virtual time pass; what falls due meanwhile happens."""
        self.simulation.clock.sleep(seconds)

    def play(self) -> None:
        """Let everything happen that is due now or later, until nothing is."""
        clock = self.simulation.clock
        for _ in range(MOST_EVENTS):
            if clock.is_idle():
                return
            clock.run_next()
        raise AssertionError("it never comes to rest")

    def calls_of(self, function: str) -> int:
        """How often a function was called."""
        return sum(call.function == function for call in self.simulation.service.calls.made)

    @property
    def dead_letters(self) -> int:
        """How many asynchronous calls were given up."""
        return len(self.simulation.service.calls.dead_letters)


@contextmanager
def on_stage(
    world: Callable[[], AbstractContextManager[Any]],
    functions: Mapping[str, Handler],
    start: datetime = START,
) -> Iterator[tuple[Stage, Any]]:
    """A world, and functions in it, plain or durable, by name."""
    simulation = Simulation(0, start)
    for name, handler in functions.items():
        simulation.add_function(name, handler)
    with simulation.running(), world() as made:
        yield Stage(simulation), made
