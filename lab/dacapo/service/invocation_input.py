"""The input of an invocation, as Lambda passes it to a durable function: a dict of JSON values.

A decorator above `durable_execution` receives this input, and may read, log, copy, or change it. So
every part of it is plain JSON, and no object of the run is hidden in it. The service client and the
operations behind an input are found by its ARN and its checkpoint token instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    DurableServiceClient,
    Operation,
    StateOutput,
)

from dacapo.process.active_run import ACTIVE
from dacapo.service.client import RefusingClient

Json = dict[str, Any]
_DETAILS = (
    *("ExecutionDetails", "ContextDetails", "StepDetails"),
    *("WaitDetails", "CallbackDetails", "ChainedInvokeDetails"),
)
"""Members of an operation that are objects; of their members, only `Error` is one."""
_Encoded = dict[str, tuple[Operation, Json]]
"""Operations of an execution and their JSON, by operation ID."""


@dataclass(frozen=True)
class Entered:
    """An invocation under way, as it was entered.

    Parameters:
        client: the service, as the SDK has to see it in this invocation.
        encoded: the operations of its input.
    """

    client: DurableServiceClient
    encoded: _Encoded

    def operation(self, received: Json) -> Operation:
        """Return an operation of the input that the SDK received.

        Parsing a long history at every invocation would double the time of a run. So an operation
        that is as it was sent, copied or not, is not parsed again.
        """
        sent, json = self.encoded.get(received["Id"], (None, None))
        return sent if sent and json == received else Operation.from_json_dict(received)


_UNKNOWN = Entered(RefusingClient(), {})


class InvocationInputs:
    """The inputs of the invocations under way in a run."""

    def __init__(self) -> None:
        self._invoked: dict[tuple[str, str], Entered] = {}
        self._encoded: dict[str, _Encoded] = {}

    @contextmanager
    def sent(
        self,
        arn: str,
        token: str,
        state: StateOutput,
        changed: Sequence[str],
        client: DurableServiceClient,
    ) -> Iterator[Json]:
        """Context manager with the input of an invocation, which has to end inside it.

        Parameters:
            arn: the execution.
            token: its checkpoint token.
            state: the first page of its operations.
            changed: IDs of the operations that changed since the last invocation.
            client: the service, as the SDK has to see it in this invocation.
        """
        encoded = self._encoded.setdefault(arn, {})
        self._invoked[arn, token] = Entered(client, encoded)
        try:
            yield {
                "DurableExecutionArn": arn,
                "CheckpointToken": token,
                "InitialExecutionState": {
                    "Operations": [_json_of(operation, encoded) for operation in state.operations],
                    "NextMarker": state.next_marker or "",
                },
                "UpdatedOperationIds": list(changed),
            }
        finally:
            del self._invoked[arn, token]

    @contextmanager
    def entered(self, arn: str, token: str, client: DurableServiceClient) -> Iterator[None]:
        """Context manager in which an input leads to a service client."""
        self._invoked[arn, token] = Entered(client, {})
        try:
            yield
        finally:
            del self._invoked[arn, token]

    def find(self, arn: str, token: str) -> Entered:
        """Return the invocation under way that was entered with these.

        Without one, a decorator made the input up, or kept it from an earlier invocation. As on
        Lambda, the service then refuses every call.
        """
        return self._invoked.get((arn, token), _UNKNOWN)


def _json_of(operation: Operation, encoded: _Encoded) -> Json:
    """Return the JSON of an operation: made once for each of its states, and copied each time."""
    known, json = encoded.get(operation.operation_id, (None, {}))
    if known is not operation:
        json = dict(operation.to_json_dict())
        encoded[operation.operation_id] = operation, json
    copied = json.copy()
    for name in _DETAILS:
        if name in json:
            copied[name] = deepcopy(json[name]) if "Error" in json[name] else json[name].copy()
    return copied


@contextmanager
def entered(arn: str, token: str, client: DurableServiceClient) -> Iterator[None]:
    """Context manager in which an input that another process sent leads to a service client.

    Parameters:
        arn, token: of the input.
        client: the service, as the SDK has to see it in this invocation.
    """
    inputs: InvocationInputs = ACTIVE.invocation_inputs
    with inputs.entered(arn, token, client):
        yield


def sent(
    arn: str,
    token: str,
    state: StateOutput,
    changed: Sequence[str],
    client: DurableServiceClient,
) -> AbstractContextManager[Json]:
    """Send an input in the active run; see `InvocationInputs.sent`."""
    inputs: InvocationInputs = ACTIVE.invocation_inputs
    return inputs.sent(arn, token, state, changed, client)
