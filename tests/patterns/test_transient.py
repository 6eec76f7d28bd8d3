"""The retry strategy retries transient errors and no others."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)

from patterns import transient
from patterns.callbacks import NotSentYet
from patterns.transient import is_transient, retry_transient


def client_error(code: str, status: int) -> ClientError:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Operation")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error",
    [
        client_error("ThrottlingException", 400),
        client_error("ProvisionedThroughputExceededException", 400),
        client_error("TooManyRequestsException", 429),
        client_error("RequestLimitExceeded", 503),
        client_error("InternalFailure", 500),
        EndpointConnectionError(endpoint_url="x"),
        ConnectTimeoutError(endpoint_url="x"),
        ReadTimeoutError(endpoint_url="x"),
        NotSentYet("later"),
    ],
)
def test_a_transient_error_is_retried(error: Exception) -> None:
    assert is_transient(error)
    assert retry_transient(error, 1).should_retry
    assert not retry_transient(error, transient.MAX_ATTEMPTS).should_retry


@pytest.mark.parametrize(
    "error",
    [
        client_error("AccessDeniedException", 403),
        client_error("ResourceNotFoundFault", 400),
        ParamValidationError(report="x"),
        ValueError("x"),
    ],
)
def test_a_permanent_error_is_not_retried(error: Exception) -> None:
    assert not is_transient(error)
    assert not retry_transient(error, 1).should_retry
