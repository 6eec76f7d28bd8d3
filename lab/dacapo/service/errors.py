"""Errors of the Lambda API, as botocore's model names them."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
from botocore.exceptions import ClientError


class ServiceError(Exception):
    """An error response of the service.

    Parameters:
        code: the exception's name in the API model, for example `CallbackTimeoutException`.
        message: the error message.
        status: the HTTP status that the model assigns to this exception.
    """

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status

    def as_client_error(self, operation: str) -> ClientError:
        """Convert this to the error that boto3 raises for `operation`, for example `Invoke`."""
        response: Any = {
            "Error": {"Code": self.code, "Message": self.message},
            "ResponseMetadata": {"HTTPStatusCode": self.status},
        }
        return ClientError(response, operation)


def invalid(message: str) -> ServiceError:
    """Return the error for a request with an invalid parameter."""
    return ServiceError("InvalidParameterValueException", message, 400)


def unqualified() -> ServiceError:
    """Return the error for a durable function that is invoked without a version or alias."""
    return invalid("You cannot invoke a durable function using an unqualified ARN.")


def not_found(message: str) -> ServiceError:
    """Return the error for a function, execution or callback that does not exist."""
    return ServiceError("ResourceNotFoundException", message, 404)


def conflict(message: str) -> ServiceError:
    """Return the error for an execution whose status does not allow the request."""
    return ServiceError("ResourceConflictException", message, 409)


def too_large(limit: int) -> ServiceError:
    """Return the error for an Invoke whose payload has more than `limit` bytes."""
    message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
    return ServiceError("RequestTooLargeException", message, 413)


def callback_closed(message: str) -> ServiceError:
    """Return the error for a callback that expired or is complete; the API has one for both."""
    return ServiceError("CallbackTimeoutException", message, 400)


def already_started(message: str) -> ServiceError:
    """Return the error for an execution name that is in use with another payload."""
    return ServiceError("DurableExecutionAlreadyStartedException", message, 409)


def modeled(code: str, message: str) -> ServiceError:
    """Return any exception of the Lambda API by name, with the HTTP status from the model.

    Raises:
        ValueError: the API has no exception of this name.
    """
    shapes = _lambda_model().shape_names
    if code not in shapes or not (error := _lambda_model().shape_for(code).metadata).get(
        "exception"
    ):
        raise ValueError(f"the Lambda API has no exception {code!r}")
    return ServiceError(code, message, error.get("error", {}).get("httpStatusCode", 500))


@cache
def _lambda_model() -> Any:
    return botocore.session.get_session().get_service_model("lambda")
