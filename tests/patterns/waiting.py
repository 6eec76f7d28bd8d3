"""An execution that waits for a callback, with an open row in the registry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from aws_durable_execution_sdk_python.lambda_service import Operation, OperationStatus

from dacapo import START, Simulation
from dacapo.service.execution import Execution
from patterns import callbacks
from patterns.callbacks import answers, table
from scenarios.worlds.transcription import Vendor, transcription_world
from tests.lab import handlers

DAY_SECONDS = 24 * 3600


class Wait:
    """An execution that waits for a callback.

    Parameters:
        reference: key that an answer has to name.
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
        """The result that the execution received."""
        assert self.callback.callback_details is not None
        return self.callback.callback_details.result

    def put(self, **changes: Any) -> None:
        parameters: dict[str, Any] = {
            "owner": self.execution.arn,
            "timeout": DAY_SECONDS,
            "not_before": START.timestamp(),
        }
        callbacks.put(self.reference, self.callback_id, **(parameters | changes))

    def close(self, **changes: Any) -> None:
        """Close the row as the handler does when it resumes, with the answer that it received."""
        details = self.callback.callback_details
        assert details is not None
        received = answers.received(details.result)
        if details.error is not None and self.callback.status is OperationStatus.FAILED:
            received = answers.failure(details.error.message or "", details.error.type or "")
        parameters: dict[str, Any] = {"received": received}
        callbacks.close(self.reference, self.callback_id, **(parameters | changes))

    def stop(self) -> None:
        """Stop the execution, which therefore never closes its row."""
        boto3.client("lambda").stop_durable_execution(DurableExecutionArn=self.execution.arn)

    def wait_again(self) -> str:
        """Open the row for the next wait of the same execution, and return its callback ID.

        The execution has only one callback, so the service doesn't know this one.
        """
        callback_id = "bmV4dA=="
        callbacks.put(self.reference, callback_id, owner=self.execution.arn, timeout=DAY_SECONDS)
        return callback_id

    def row(self) -> table.Row:
        row = table.read(self.reference)
        assert row is not None
        return row

    def accepted(self) -> list[str]:
        """List the answers that the durable service accepted, by kind."""
        deliveries = self.simulation.service.callbacks.deliveries
        return [delivery.kind for delivery in deliveries if delivery.refused is None]

    def pass_time(self, seconds: float) -> None:
        self.simulation.clock.sleep(seconds)


@contextmanager
def waiting(reference: str) -> Iterator[tuple[Wait, Vendor]]:
    """Context manager with a waiting execution and a vendor, a registry, and a signing key."""
    simulation = Simulation(0, START)
    with simulation.running(), transcription_world() as world:
        yield Wait(simulation, reference), world
