"""Transient AWS errors, and a retry strategy for them."""

from __future__ import annotations

from http import HTTPStatus

from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python.retries import (
    RetryDecision,
    RetryStrategyConfig,
    create_retry_strategy,
)
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004

MAX_ATTEMPTS = 6
INITIAL_DELAY = Duration.from_seconds(2)
MAX_DELAY = Duration.from_minutes(2)

_THROTTLED = ("Throttl", "TooManyRequests", "RequestLimitExceeded", "ThroughputExceeded")

_backed_off = create_retry_strategy(
    RetryStrategyConfig(max_attempts=MAX_ATTEMPTS, initial_delay=INITIAL_DELAY, max_delay=MAX_DELAY)
)


class TransientError(Exception):
    """A transient error that our own code raises."""


def name_of(error: Exception) -> str:
    """Return an error's AWS error code, or its class name. Safe to log: it contains no values."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"]
    return type(error).__name__


def is_transient(error: Exception) -> bool:
    """Return True if a retry may succeed: throttling, a server error, or a connection error."""
    if isinstance(error, ClientError):
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        name = name_of(error)
        return status >= HTTPStatus.INTERNAL_SERVER_ERROR or any(t in name for t in _THROTTLED)
    return isinstance(error, ConnectionError | HTTPClientError | TransientError)


def retry_transient(error: Exception, attempts_made: int) -> RetryDecision:
    """Retry transient errors with backoff and jitter, and no others: a retry strategy for steps.

    Parameters:
        attempts_made: attempts so far, including this one; the limit is 6.
    """
    return _backed_off(error, attempts_made) if is_transient(error) else RetryDecision.no_retry()
