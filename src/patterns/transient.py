"""Outlast an outage: transient errors, how long steps retry them, and how long a call may hang.

Waiting costs a durable function nothing, so a step doesn't give up on a service that is out: it
retries for hours. Each retry is a charged operation, of which an execution may have 3,000.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus

from aws_durable_execution_sdk_python.config import Duration, JitterStrategy
from aws_durable_execution_sdk_python.retries import (
    RetryDecision,
    RetryStrategyConfig,
    create_retry_strategy,
)
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004
    HTTPClientError,
    IncompleteReadError,
)

OUTLASTS = Duration.from_hours(6)
"""Length of an outage that a step survives at any jitter: 5 hours, and an hour to spare."""
INITIAL_DELAY = Duration.from_seconds(2)
BACKOFF_RATE = 4
MAX_DELAY = Duration.from_minutes(15)
"""Delays of 2, 8, 32, and 128 s, 9 min, and then 15 min each, or down to half of that by jitter.

So a step continues at most 15 minutes after the outage has ended.
"""
QUICK_RETRIES = 5
"""Number of retries before the delay reaches its maximum. They take 6 to 11 minutes together."""

STEP_CLIENT = Config(
    connect_timeout=3, read_timeout=7, retries={"mode": "standard", "total_max_attempts": 2}
)
"""For clients that only steps use: a call that hangs ends after 21 s, counting its one repetition.

botocore's own default is up to 10 minutes. That is longer than the 60 s of a function, and Lambda
ends an execution after five invocations that run into their timeout: no step would be retried.
"""
HTTP_CLIENT = Config(
    connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 1}
)
"""For clients that a function behind the HTTP API uses: a call that hangs ends after 4 s.

Six such calls take 24 s, less than the 25 s of those functions, so that their caller gets a 503.
They aren't repeated here: the caller repeats the request.
"""

_THROTTLED = ("Throttl", "TooManyRequests", "RequestLimitExceeded", "ThroughputExceeded")
_SLOW = ("RequestTimeout", "RequestTimeoutException", "TransactionInProgressException")

RetryStrategy = Callable[[Exception, int], RetryDecision]


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
        return (
            status >= HTTPStatus.INTERNAL_SERVER_ERROR
            or status == HTTPStatus.TOO_MANY_REQUESTS
            or name in _SLOW
            or any(part in name for part in _THROTTLED)
        )
    return isinstance(
        error, ConnectionError | HTTPClientError | IncompleteReadError | TransientError
    )


def retries_in(duration: Duration) -> int:
    """Return the number of retries that take at least this long, even if jitter halves all delays.

    With the first attempt, which is charged as the step itself, a step may use one operation more.
    """
    left, delay, number = float(duration.to_seconds()), float(INITIAL_DELAY.to_seconds()), 0
    while left > 0:
        left -= delay / 2
        delay = min(delay * BACKOFF_RATE, MAX_DELAY.to_seconds())
        number += 1
    return number


def retry_for(
    outlasts: Duration, *, errors: Callable[[Exception], bool] = is_transient
) -> RetryStrategy:
    """Return a retry strategy for a pattern's own deadline.

    Parameters:
        outlasts: how long it retries at least. An hour more costs up to 8 operations more.
        errors: which errors it retries; all others end the step at once.
    """
    backed_off = create_retry_strategy(
        RetryStrategyConfig(
            max_attempts=1 + retries_in(outlasts),
            initial_delay=INITIAL_DELAY,
            max_delay=MAX_DELAY,
            backoff_rate=BACKOFF_RATE,
            # Half, not full: full jitter may add up to nothing, and then outlasts nothing.
            jitter_strategy=JitterStrategy.HALF,
        )
    )

    def retry(error: Exception, attempts_made: int) -> RetryDecision:
        return backed_off(error, attempts_made) if errors(error) else RetryDecision.no_retry()

    return retry


RETRIES = retries_in(OUTLASTS)
"""Maximum number of retries of a step that uses `retry_transient`, each a charged operation: 53."""
MAX_ATTEMPTS = 1 + RETRIES
"""Maximum number of attempts. They take at least 6 hours and at most 12 hours and 20 minutes."""

retry_transient = retry_for(OUTLASTS)
"""Retry transient errors for hours, and no others: the retry strategy of every step here."""


def retry_until(deadline: float, *, max_delay: Duration) -> RetryStrategy:
    """Return a retry strategy for a job that nobody needs after a deadline.

    Parameters:
        deadline: epoch seconds; must come from a step, like everything that depends on the time.
        max_delay: longest time between two attempts.
    """

    def retry(error: Exception, attempts_made: int) -> RetryDecision:
        # The clock may be read here: a strategy runs when an attempt has failed, never at a replay.
        decision = retry_transient(error, attempts_made)
        delay = min(decision.delay_seconds, max_delay.to_seconds())
        if not decision.should_retry or time.time() + delay >= deadline:
            return RetryDecision.no_retry()
        return RetryDecision.retry(Duration.from_seconds(delay))

    return retry
