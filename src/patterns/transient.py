"""Which errors of AWS pass by themselves, and how often to try again for them."""

from __future__ import annotations

from http import HTTPStatus

from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python.retries import (
    RetryDecision,
    RetryStrategyConfig,
    create_retry_strategy,
)
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004

MOST_ATTEMPTS = 6
FIRST_PAUSE = Duration.from_seconds(2)
LONGEST_PAUSE = Duration.from_minutes(2)

_THROTTLED = ("Throttl", "TooManyRequests", "RequestLimitExceeded", "ThroughputExceeded")

_backed_off = create_retry_strategy(
    RetryStrategyConfig(
        max_attempts=MOST_ATTEMPTS, initial_delay=FIRST_PAUSE, max_delay=LONGEST_PAUSE
    )
)


class TransientError(Exception):
    """An error of our own that passes by itself."""


def name_of(error: Exception) -> str:
    """What AWS calls an error, or its class: fit for a log, because no value is part of it."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"]
    return type(error).__name__


def is_transient(error: Exception) -> bool:
    """Whether the same call may well succeed later: throttled, service down, no connection."""
    if isinstance(error, ClientError):
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        name = name_of(error)
        return status >= HTTPStatus.INTERNAL_SERVER_ERROR or any(t in name for t in _THROTTLED)
    return isinstance(error, ConnectionError | HTTPClientError | TransientError)


def retry_transient(error: Exception, attempts_made: int) -> RetryDecision:
    """A retry strategy for steps: transient errors with backoff and jitter, all others never.

    Parameters:
        attempts_made: attempts so far, this one included; at most 6 are made.
    """
    return _backed_off(error, attempts_made) if is_transient(error) else RetryDecision.no_retry()
