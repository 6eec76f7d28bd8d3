"""The public Lambda API of a run, as far as it concerns durable executions.

Each method answers one operation of botocore's model, from a parsed HTTP request to an HTTP
response; `simulation.boto` connects them to unmodified boto3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    Operation,
    OperationUpdate,
)

from dacapo.lambda_api import queries
from dacapo.lambda_api.http import Request, Response
from dacapo.lambda_api.invoke import invoke
from dacapo.service import validation
from dacapo.service.errors import ServiceError, invalid
from dacapo.service.service import DurableService


class PublicApi:
    """Answers the API calls of a run.

    Parameters:
        service: the service with the run's executions, callbacks and functions.
    """

    def __init__(self, service: DurableService) -> None:
        self._service = service
        self._faults: dict[str, deque[ServiceError]] = {}
        self._checkpoints: dict[str, tuple[tuple[str, str | None], Response]] = {}
        self._operations: dict[str, Callable[[Request], Response]] = {
            "Invoke": partial(invoke, service),
            "SendDurableExecutionCallbackSuccess": self._callback_success,
            "SendDurableExecutionCallbackFailure": self._callback_failure,
            "SendDurableExecutionCallbackHeartbeat": self._callback_heartbeat,
            "GetDurableExecution": partial(queries.get, service),
            "GetDurableExecutionHistory": partial(queries.history, service),
            "ListDurableExecutionsByFunction": partial(
                queries.list_by_function, service, service.functions
            ),
            "StopDurableExecution": self._stop,
            "PauseDurableExecution": self._pause,
            "ResumeDurableExecution": self._resume,
            "DeleteDurableExecution": self._delete,
            "CheckpointDurableExecution": self._checkpoint,
            "GetDurableExecutionState": self._state,
        }

    def caller(self) -> str:
        """Return the current caller: a function's name, or an outside party."""
        return self._service.callers.name()

    def execution(self) -> str:
        """Return the ARN of the execution that the current caller acts for; "" for none."""
        return self._service.callers.execution()

    def first_execution(self) -> str:
        """Return the ARN of the execution with which the run began; "" before it has started."""
        return next(iter(self._service.executions), "")

    def fail_next(self, operation: str, error: ServiceError, times: int = 1) -> None:
        """Make the next calls of an operation fail, as when the service throttles or is down."""
        self._faults.setdefault(operation, deque()).extend([error] * times)

    def answer(self, operation: str, request: Request) -> Response:
        """Answer one call of an operation.

        Parameters:
            operation: its name in botocore's model.
            request: the parsed request.

        Raises:
            ServiceError: an error of the model.
        """
        self._service.callers.flush()
        faults = self._faults.get(operation)
        if faults:
            raise faults.popleft()
        return self._operations[operation](request)

    # -- callbacks ----------------------------------------------------------------------------

    def _callback_success(self, request: Request) -> Response:
        self._service.callbacks.succeed(request.path["CallbackId"], request.body)
        return Response()

    def _callback_failure(self, request: Request) -> Response:
        error = request.error() or ErrorObject(None, None, None, None)
        self._service.callbacks.fail(request.path["CallbackId"], error)
        return Response()

    def _callback_heartbeat(self, request: Request) -> Response:
        self._service.callbacks.heartbeat(request.path["CallbackId"])
        return Response()

    # -- executions ---------------------------------------------------------------------------

    def _stop(self, request: Request) -> Response:
        error = request.error()
        if error is not None:
            validation.check_sent_error(error)
        execution = self._service.stop(request.path["DurableExecutionArn"], error)
        return Response({"StopTimestamp": execution.ended})

    def _pause(self, request: Request) -> Response:
        members = request.members()
        self._service.pauses.pause(
            request.path["DurableExecutionArn"],
            reason=members.get("Reason"),
            stops_timeout=members.get("ExecutionTimeoutPaused", True),
            client_token=members.get("ClientToken"),
        )
        return Response(status=202)

    def _resume(self, request: Request) -> Response:
        members = request.members()
        self._service.pauses.resume(
            request.path["DurableExecutionArn"],
            reason=members.get("Reason"),
            client_token=members.get("ClientToken"),
        )
        return Response(status=202)

    def _delete(self, request: Request) -> Response:
        self._service.delete(request.path["DurableExecutionArn"])
        return Response({"DeletionRequestTimestamp": self._service.clock.now}, 202)

    # -- the handler's side -------------------------------------------------------------------

    def _checkpoint(self, request: Request) -> Response:
        members = request.members()
        arn, token = request.path["DurableExecutionArn"], members.get("CheckpointToken", "")
        # A checkpoint that is sent again, with its client token, gets the same answer (model).
        sent = (token, members.get("ClientToken"))
        if arn in self._checkpoints and self._checkpoints[arn][0] == sent:
            return self._checkpoints[arn][1]
        response = self._store(arn, token, members.get("Updates", []))
        self._checkpoints[arn] = (sent, response)
        return response

    def _store(self, arn: str, token: str, members: Sequence[dict[str, Any]]) -> Response:
        try:
            updates = [OperationUpdate.from_dict(update) for update in members]
        except (KeyError, ValueError) as error:
            raise invalid(f"Invalid update: {error}") from error
        output = self._service.checkpoints.store(arn, token, updates)
        state = {"Operations": _operations(output.new_execution_state.operations)}
        following = {"CheckpointToken": output.checkpoint_token} if output.checkpoint_token else {}
        return Response({"NewExecutionState": state} | following)

    def _state(self, request: Request) -> Response:
        output = self._service.checkpoints.read(
            request.path["DurableExecutionArn"],
            request.parameter("CheckpointToken"),
            request.parameter("Marker"),
            request.max_items(),
        )
        body = {"Operations": _operations(output.operations)}
        return Response(body | ({"NextMarker": output.next_marker} if output.next_marker else {}))


def _operations(operations: Sequence[Operation]) -> list[dict[str, Any]]:
    return [_without_nothing(operation.to_dict()) for operation in operations]


def _without_nothing(members: Mapping[str, Any]) -> dict[str, Any]:
    # The SDK writes None for a context that returned nothing.
    return {
        member: _without_nothing(value) if isinstance(value, dict) else value
        for member, value in members.items()
        if value is not None
    }
