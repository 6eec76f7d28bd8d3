"""What stands in a table: the same words in the terminal and on the page.

`≈` says that a figure was reckoned; all others were counted, or seen in virtual time, in a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from compare import durable
from compare.everything import Wall
from compare.outcome import Outcome
from dacapo.report.durations import spell, spell_short
from patterns.polling.handler import PACE

HEAD = ("waited for by", "looks", "charged", "invoked", "bytes", "$/1,000", "noticed")
WALL_HEAD = ("waited for by", "every", "ends at", "after", "that is")
LEGEND = (
    "charged: state transitions of Step Functions, operations of a durable function. bytes: "
    "written to a durable execution (charged), kept in a state machine's history or sent to a "
    "table (not charged). $: with functions and tables; prices, and what is assumed of an "
    "invocation, are in lab/dacapo/prices.json. noticed: so long after the migration's end. "
    "(ours): as deployed, with pauses that grow. Not in it: the time that AWS takes to deliver an "
    "event, and a schedule that runs while nobody waits."
)
FORMULA = (
    "≈ was reckoned. Counts lie on a straight line in the number of looks, ⌈length ÷ pause⌉; two "
    "runs, of 10 and 20 looks, give it. The delay is looks × pause − length. All other figures "
    "were counted in a run: durable functions on the simulated service in virtual time, state "
    "machines in moto's interpreter with waits of no length, the function on a schedule in "
    "virtual time."
)
GROWING_PAUSES = "–".join(
    spell_short(timedelta(seconds=pause.to_seconds()))
    for pause in (PACE.first_pause, PACE.longest_pause)
)
_SIZES = ((1_000_000, "MB"), (1_000, "KB"))


def row(outcome: Outcome) -> tuple[str, ...]:
    """A line of the table of outcomes."""
    counts, mark = outcome.counts, "" if outcome.is_counted else "≈ "
    return (
        outcome.way,
        pause(outcome.pause) if outcome.way != durable.GROWING else GROWING_PAUSES,
        f"{mark}{counts.units:,}" if counts.units else "–",
        f"{mark}{counts.invocations:,}" if counts.invocations else "–",
        f"{mark}{size(counts.payload_bytes)}",
        f"{mark}{outcome.dollars_per_thousand:,.2f}",
        _delay(outcome),
    )


def wall_row(wall: Wall) -> tuple[str, ...]:
    """A line of the table of walls."""
    mark = "" if wall.is_seen else "≈ "
    return (
        wall.way,
        pause(wall.every),
        wall.what,
        f"{mark}{wall.looks:,}",
        f"{mark}{spell(wall.looks * wall.every)}",
    )


def pause(length: timedelta | None) -> str:
    """How often somebody looks."""
    return "–" if length is None else spell_short(length)


def size(number: int) -> str:
    """Bytes in the unit in which they read well."""
    for large, unit in _SIZES:
        if number >= large:
            return f"{number / large:.1f} {unit}"
    return f"{number} B"


def rows(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """The lines of a table."""
    return [row(outcome) for outcome in outcomes]


def _delay(outcome: Outcome) -> str:
    if outcome.delay is None:
        return "never"
    mark = "" if outcome.is_delay_seen else "≈ "
    return f"{mark}{spell(outcome.delay)}"
