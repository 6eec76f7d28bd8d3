"""Retry strategies for email that outlast a one-hour outage of the mail service.

Waiting costs a durable function nothing but retries, and those count toward its quota: see
`mailing.MAX_SUBSCRIBERS`.
"""

from __future__ import annotations

from aws_durable_execution_sdk_python.config import Duration, JitterStrategy
from aws_durable_execution_sdk_python.retries import (
    RetryDecision,
    RetryStrategyConfig,
    create_retry_strategy,
)

from patterns.transient import is_transient

MAX_ATTEMPTS = 9
"""Delays of 2 s, 12 s, 72 s, 7 min, then four of 30 min: 2 h 8 min, or half of that with jitter."""

CONFIRMATION_PAUSES = (
    Duration.from_seconds(30),
    Duration.from_minutes(5),
    Duration.from_minutes(30),
    Duration.from_minutes(60),
)
"""Delays between the attempts to have the confirmation sent to the seller."""

_backed_off = create_retry_strategy(
    RetryStrategyConfig(
        max_attempts=MAX_ATTEMPTS,
        initial_delay=Duration.from_seconds(2),
        max_delay=Duration.from_minutes(30),
        backoff_rate=6,
        jitter_strategy=JitterStrategy.HALF,
    )
)


def retry_for_an_hour(error: Exception, attempts_made: int) -> RetryDecision:
    """Retry transient errors for more than an hour, and other errors never: a strategy for email.

    Parameters:
        attempts_made: number of attempts so far, including this one; the maximum is 9.
    """
    return _backed_off(error, attempts_made) if is_transient(error) else RetryDecision.no_retry()
