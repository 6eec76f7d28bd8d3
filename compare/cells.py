"""The contents of the tables: the same words in the terminal and on the page.

`≈` marks a calculated figure; all others were measured in a run or in virtual time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from compare import durable
from compare.everything import Limit
from compare.outcome import Outcome
from dacapo import spell
from dacapo.report.durations import spell_short
from patterns.polling.handler import PACE

TITLE = "A migration of {}"
HEAD = ("approach", "interval", "$/1,000", "delay", "billed", "invocations", "bytes")
LIMIT_TITLE = "How long each approach can wait"
LIMIT_HEAD = ("approach", "interval", "longest wait", "limit", "polls/waits")
LEGEND = (
    "interval: time between polls; durable backoff is the pattern as deployed, with growing "
    "intervals. "
    "billed: state transitions (Step Functions) or operations (durable functions). "
    "bytes: written to a durable execution (billed), kept in a state machine's history, or sent to "
    "a table (neither is billed). "
    "$/1,000: dollars per thousand migrations, including functions and tables; "
    "lab/dacapo/prices.json has the prices and the assumptions per invocation. "
    "delay: the longest from the end of the migration until the approach detects it; if an event "
    "ends the wait, for an event that arrives. "
    "Not included: the time that AWS takes to deliver an event, and the cost of a schedule that "
    "runs while no migration is in progress."
)
FORMULA = (
    "≈ marks a calculated figure. Counts grow linearly with the number of polls, "
    "⌈length ÷ interval⌉; two runs, with 10 and 20 polls, give the line. The longest delay is the "
    "interval. All other figures were measured in a run: durable functions on the "
    "simulated service in virtual time, state machines in moto's interpreter with zero-length "
    "waits, and the scheduled function in virtual time."
)
GROWING_PAUSES = "–".join(
    spell_short(timedelta(seconds=pause.to_seconds()))
    for pause in (PACE.initial_delay, PACE.max_delay)
)
_HALF_A_CENT = 0.005
_SIZES = ((1_000_000, "MB"), (1_000, "KB"))


def row(outcome: Outcome) -> tuple[str, ...]:
    """Return a line of a table of outcomes."""
    counts, mark = outcome.counts, "" if outcome.is_measured else "≈"
    return (
        outcome.approach,
        interval(outcome.pause) if outcome.approach != durable.BACKOFF else GROWING_PAUSES,
        f"{mark}{amount(outcome.dollars_per_thousand)}",
        delay(outcome),
        f"{mark}{counts.units:,}" if counts.units else "–",
        f"{mark}{counts.invocations:,}" if counts.invocations else "–",
        f"{mark}{size(counts.payload_bytes)}",
    )


def limit_row(limit: Limit) -> tuple[str, ...]:
    """Return a line of the table of limits."""
    mark = "" if limit.is_measured else "≈"
    return (
        limit.approach,
        interval(limit.pause),
        f"{mark}{spell(limit.longest)}",
        limit.limit,
        f"{mark}{limit.polls:,}",
    )


def interval(pause: timedelta | None) -> str:
    """Return the time between polls in words, or a dash for approaches that do not poll."""
    return "–" if pause is None else spell_short(pause)


def amount(dollars: float) -> str:
    """Return an amount of dollars in cents; `<0.01` for less than half a cent."""
    return f"{dollars:,.2f}" if dollars >= _HALF_A_CENT else "<0.01"


def size(number: int) -> str:
    """Return a number of bytes in the largest unit that fits: B, KB or MB."""
    for large, unit in _SIZES:
        if number >= large:
            return f"{number / large:.1f} {unit}"
    return f"{number} B"


def rows(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """Return the lines of a table of outcomes."""
    return [row(outcome) for outcome in outcomes]


def delay(outcome: Outcome) -> str:
    """Return the longest delay until the end is detected: `0s`, `≤ 15m`, or `never`."""
    if outcome.delay is None:
        return "never"
    return f"≤ {spell_short(outcome.delay)}" if outcome.delay else "0s"
