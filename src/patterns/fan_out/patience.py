"""How long a mail is tried: long enough to outlast an outage of the mail service of an hour.

Waiting costs a durable function nothing but its retries, and those are counted: see
`mailing.MOST_SUBSCRIBERS`.
"""

from __future__ import annotations

from aws_durable_execution_sdk_python.config import Duration, JitterStrategy
from aws_durable_execution_sdk_python.retries import (
    RetryDecision,
    RetryStrategyConfig,
    create_retry_strategy,
)

from patterns.transient import is_transient

MOST_ATTEMPTS = 9
"""2 s, 12 s, 72 s, 7 min, then four times half an hour: 2 h 8 min, or half of it with jitter."""

CONFIRMATION_PAUSES = (
    Duration.from_seconds(30),
    Duration.from_minutes(5),
    Duration.from_minutes(30),
    Duration.from_minutes(60),
)
"""Between the attempts to have the seller written to."""

_backed_off = create_retry_strategy(
    RetryStrategyConfig(
        max_attempts=MOST_ATTEMPTS,
        initial_delay=Duration.from_seconds(2),
        max_delay=Duration.from_minutes(30),
        backoff_rate=6,
        jitter_strategy=JitterStrategy.HALF,
    )
)


def retry_for_an_hour(error: Exception, attempts_made: int) -> RetryDecision:
    """A retry strategy for mails: transient errors for an hour and more, all others never.

    Parameters:
        attempts_made: attempts so far, this one included; at most 9 are made.
    """
    return _backed_off(error, attempts_made) if is_transient(error) else RetryDecision.no_retry()
