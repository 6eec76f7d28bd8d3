"""The errors of the Lambda API, as botocore's model names them."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
from botocore.exceptions import ClientError


class ServiceError(Exception):
    """An error that the service answers with.

    Parameters:
        code: the exception's name in the API model, `CallbackTimeoutException` for example.
        message: what is wrong.
        status: the HTTP status that the model gives to this exception.
    """

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status

    def as_client_error(self, operation: str) -> ClientError:
        """The error as boto3 raises it for `operation`, `Invoke` for example."""
        response: Any = {
            "Error": {"Code": self.code, "Message": self.message},
            "ResponseMetadata": {"HTTPStatusCode": self.status},
        }
        return ClientError(response, operation)


def invalid(message: str) -> ServiceError:
    """The request can't be carried out as it stands."""
    return ServiceError("InvalidParameterValueException", message, 400)


def not_found(message: str) -> ServiceError:
    """The function, execution or callback does not exist."""
    return ServiceError("ResourceNotFoundException", message, 404)


def callback_closed(message: str) -> ServiceError:
    """The callback expired, or was answered before; the API does not tell which."""
    return ServiceError("CallbackTimeoutException", message, 400)


def already_started(message: str) -> ServiceError:
    """The execution name is taken, with another payload."""
    return ServiceError("DurableExecutionAlreadyStartedException", message, 409)


def modelled(code: str, message: str) -> ServiceError:
    """Any exception of the Lambda API, by its name, with the HTTP status that the model gives it.

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
