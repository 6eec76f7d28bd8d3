"""An execution that waits for a callback, whose row is open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import Operation

from dacapo.scenario import START
from dacapo.service.execution import Execution
from dacapo.simulation import Simulation
from patterns import callback_answers, callback_rows, callbacks
from scenarios.worlds.transcription import Agency, transcription_world
from tests.lab import handlers

DAY_SECONDS = 24 * 3600


class Wait:
    """An execution that waits.

    Parameters:
        reference: what answers have to name.
    """

    def __init__(self, simulation: Simulation, reference: str) -> None:
        self.simulation = simulation
        self.reference = reference
        function = simulation.add_function("waits", handlers.called_back)
        self.execution: Execution = simulation.service.start(function, "null")
        simulation.clock.run_next()
        self.put()

    @property
    def callback(self) -> Operation:
        return next(o for o in self.execution.operations.values() if o.callback_details)

    @property
    def callback_id(self) -> str:
        assert self.callback.callback_details is not None
        return self.callback.callback_details.callback_id

    @property
    def result(self) -> str | None:
        """What the execution was given."""
        assert self.callback.callback_details is not None
        return self.callback.callback_details.result

    def put(self, **changes: Any) -> None:
        parameters: dict[str, Any] = {
            "owner": self.execution.arn,
            "deadline": START.timestamp() + DAY_SECONDS,
            "not_before": START.timestamp(),
        }
        callbacks.put(self.reference, self.callback_id, **(parameters | changes))

    def close(self) -> None:
        """Do what the handler does once it is woken: write down which answer it got."""
        details = self.callback.callback_details
        assert details is not None
        got = callback_answers.received(details.result)
        if details.error is not None:
            got = callback_answers.failure(details.error.message or "", details.error.type or "")
        callbacks.close(self.reference, owner=self.execution.arn, got=got)

    def row(self) -> callback_rows.Row:
        row = callback_rows.read(self.reference)
        assert row is not None
        return row

    def accepted(self) -> list[str]:
        """The answers that the durable service took."""
        deliveries = self.simulation.service.callbacks.deliveries
        return [delivery.kind for delivery in deliveries if delivery.refused is None]

    def pass_time(self, seconds: float) -> None:
        self.simulation.clock.sleep(seconds)


@contextmanager
def waiting(reference: str) -> Iterator[tuple[Wait, Agency]]:
    """An execution that waits, in a world with an agency, a registry and a signing key."""
    simulation = Simulation(0, START)
    with simulation.running(), transcription_world() as agency:
        yield Wait(simulation, reference), agency
