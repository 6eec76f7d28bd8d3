"""The Lambda API on the official runner: invocations of plain functions, and the callback API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from aws_durable_execution_sdk_python_testing.exceptions import AwsApiException

from dacapo.errors import UnsupportedByEngine
from dacapo.lambda_api.http import Request, Response
from dacapo.service.calls import Call
from dacapo.service.errors import ServiceError, modeled, not_found
from dacapo.service.functions import Handler, LambdaContext


class OfficialApi:
    """Answers API calls with the official runner.

    Parameters:
        functions: the plain functions for Invoke, by name.
        runner: the official runner, for the callback API.
    """

    def __init__(self, functions: Mapping[str, Handler], runner: DurableFunctionTestRunner) -> None:
        self.functions = functions
        self.runner = runner
        self.calls: list[Call] = []

    def answer(self, operation: str, request: Request) -> Response:
        """Answer one call of an operation.

        Parameters:
            operation: its name in botocore's model.
            request: the parsed request.

        Raises:
            ServiceError: an error of the model.
        """
        if operation == "Invoke":
            return self._invoke(request)
        try:
            match operation:
                case "SendDurableExecutionCallbackSuccess":
                    self.runner.send_callback_success(request.path["CallbackId"], request.body)
                case "SendDurableExecutionCallbackFailure":
                    error = ErrorObject.from_dict(json.loads(request.body or b"{}"))
                    self.runner.send_callback_failure(request.path["CallbackId"], error)
                case "SendDurableExecutionCallbackHeartbeat":
                    self.runner.send_callback_heartbeat(request.path["CallbackId"])
                case _:
                    raise modeled("ServiceException", f"not on this engine: {operation}")
        except AwsApiException as error:
            raise modeled(type(error).__name__, str(error)) from error
        return Response()

    def caller(self) -> str:
        """Return "": this engine does not know the caller."""
        return ""

    def execution(self) -> str:
        """Return "": this engine does not know the caller's execution."""
        return ""

    def first_execution(self) -> str:
        """Refuse to act on the execution, which this engine does not support.

        Raises:
            UnsupportedByEngine: always.
        """
        raise UnsupportedByEngine("the scenario pauses or resumes its execution")

    def fail_next(self, operation: str, error: ServiceError, times: int = 1) -> None:
        """Refuse to inject failures, which this engine does not support.

        Raises:
            UnsupportedByEngine: always.
        """
        raise UnsupportedByEngine(
            f"{operation} can't be made to fail {times} times with {error.code}"
        )

    def _invoke(self, request: Request) -> Response:
        name = request.path["FunctionName"]
        function = self.functions.get(name)
        if function is None:
            raise not_found(f"Function not found: {name}")
        payload = request.body.decode() or "null"
        result = json.dumps(function(json.loads(payload), LambdaContext("plain", name)))
        self.calls.append(Call(datetime.now(UTC), name, payload, result, None))
        return Response(result.encode())
