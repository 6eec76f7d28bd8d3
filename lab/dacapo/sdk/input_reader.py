"""Makes the SDK read the input of an invocation as on Lambda, and use the service of the run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from aws_durable_execution_sdk_python import execution
from aws_durable_execution_sdk_python.execution import (
    DurableExecutionInvocationInput,
    InitialExecutionState,
)
from aws_durable_execution_sdk_python.lambda_service import DurableServiceClient

from dacapo.process.active_run import ACTIVE
from dacapo.service.invocation_input import Entered, InvocationInputs


class _LastRead(threading.local):
    """The invocation whose input a thread read last."""

    invocation: Entered


class _Reader:
    """Reads inputs and hands out clients in place of the SDK.

    The SDK asks for a client right after it read an input, in the same thread.
    """

    def __init__(self, inputs: InvocationInputs) -> None:
        self._inputs = inputs
        self._last = _LastRead()

    def read(self, event: Any) -> DurableExecutionInvocationInput:
        """Replace `DurableExecutionInvocationInput.from_json_dict`, and raise the same errors."""
        arn, token = event["DurableExecutionArn"], event["CheckpointToken"]
        invocation = self._last.invocation = self._inputs.find(arn, token)
        state = event.get("InitialExecutionState", {})
        operations = [invocation.operation(json) for json in state.get("Operations") or ()]
        return DurableExecutionInvocationInput(
            arn,
            token,
            InitialExecutionState(operations, state.get("NextMarker", "")),
            updated_operation_ids=list(event.get("UpdatedOperationIds", [])),
        )

    def client(self, **_: Any) -> DurableServiceClient:
        """Replace `LambdaClient`; which boto3 client the handler was decorated with is ignored."""
        return self._last.invocation.client


@contextmanager
def reading_inputs() -> Iterator[None]:
    """Context manager that makes the SDK read the inputs that a run sends, and use its service."""
    inputs = InvocationInputs()
    reader = _Reader(inputs)
    clients = partial(reader.client)  # called as a class, and asked for a class method
    clients.initialize_client = reader.client  # type: ignore[attr-defined]
    with (
        ACTIVE.serving(invocation_inputs=inputs),
        patch.object(DurableExecutionInvocationInput, "from_json_dict", staticmethod(reader.read)),
        patch.object(execution, "LambdaClient", clients),
    ):
        yield
