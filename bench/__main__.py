"""`make bench`: measure, and print the tables of docs/performance.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from statistics import median

from bench import handlers, importing, sides, verification
from bench.measuring import Measured, peak_memory_mb, seconds_of, side_by_side
from dacapo.history.points import DEFAULT_POINTS
from dacapo.service import quotas
from dacapo.service.functions import Handler

EXECUTIONS = 20
SIZES = (10, 100, 1_000)
REPLAYS = {10: 100, 100: 30, 1_000: 5}
"""Replays that are timed together, by the number of steps that they read back."""
REPLAYED = (
    *((10, None), (100, None), (300, None)),
    *((300, DEFAULT_POINTS), (1_000, DEFAULT_POINTS), (2_990, DEFAULT_POINTS)),
)
"""Numbers of steps, and how many points of their history to select at least; None for all."""
OFTEN, SELDOM, ONCE = 7, 3, 1


def main() -> None:
    """Measure everything, and print each line when it is ready."""
    sides.quietly()
    _say(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}; "
        f"SDK {version('aws-durable-execution-sdk-python')}, "
        f"testing SDK {version('aws-durable-execution-sdk-python-testing')}"
    )
    _table(("benchmark", "dacapo", "compared with", "ratio", "target"), _targets())
    _table(("benchmark", *(f"{n:,}" for n in SIZES), "official runner, same sizes"), _growth())
    _table(("benchmark", "dacapo", "compared with", "ratio", "target"), _verification())
    _table(("steps", "points", "time"), _replayed())
    _table(("1 GiB object", "durable, ranged reads", "baseline, in memory"), _imported())


def _targets() -> Iterator[tuple[str, ...]]:
    many = side_by_side(*_both(handlers.waits, 10), rounds=OFTEN)
    yield _times("10 sequential waits", many, "official runner", "at least 25×")
    five = side_by_side(*_both(handlers.steps, handlers.FIVE, EXECUTIONS), rounds=SELDOM)
    yield (
        "executions of 5 steps",
        f"{EXECUTIONS / five.ours:,.0f} per second",
        f"{EXECUTIONS / five.theirs:,.0f} per second (official runner)",
        f"{five.speed:.0f}× as many",
        "at least 20×",
    )
    mapped = side_by_side(*_both(handlers.mapped, 1_000), rounds=OFTEN)
    yield _times("map of 1,000 items", mapped, "official runner", "at least 0.67×")
    recording = sides.simulated(handlers.waits, 1_000)
    bare = side_by_side(
        partial(sides.simulated, handlers.waits, 1_000),
        sides.BareReplays(handlers.waits, recording),
        rounds=SELDOM,
    )
    yield (
        "1,000 sequential waits",
        _spell(bare.ours),
        f"{_spell(bare.theirs)} (bare SDK, same replays)",
        f"{bare.ours / bare.theirs:.2f}× the time",
        "at most 1.15×",
    )
    again = side_by_side(
        partial(sides.simulated, handlers.waits, 1_000, replay=False),
        partial(sides.simulated, handlers.waits, 1_000),
        rounds=SELDOM,
    )
    yield _times("1,000 waits without replay", again, "with replay", "at least 5×")
    steps, branches = (peak_memory_mb("bench.memory", name) for name in ("steps", "branches"))
    yield f"{quotas.OPERATIONS:,} operations", f"{steps:.0f} MB peak", "", "", "under 150 MB"
    yield "1,499 branches at once", f"{branches:.0f} MB peak", "", "", "under 150 MB"


def _growth() -> Iterator[tuple[str, ...]]:
    for what, handler in (
        ("sequential steps", handlers.steps),
        ("sequential waits", handlers.waits),
        ("map, one step per item", handlers.mapped),
    ):
        ours = [seconds_of(partial(sides.simulated, handler, number)) for number in SIZES]
        theirs = [seconds_of(partial(sides.official, handler, number)) for number in SIZES]
        yield what, *map(_spell, ours), ", ".join(map(_spell, theirs))


def _verification() -> Iterator[tuple[str, ...]]:
    for steps, often in REPLAYS.items():
        replays = verification.replays(steps, often, rounds=OFTEN)
        yield (
            f"replays of {steps:,} steps",
            f"{often / replays.ours:,.0f} per second",
            f"{often / replays.theirs:,.0f} per second (bare SDK)",
            f"{replays.ours / replays.theirs:.2f}× the time",
            "at most 1.4×",
        )
    for pattern in verification.PATTERNS:
        seconds = median(verification.verify_seconds(pattern) for _ in range(SELDOM))
        yield f"verify {pattern}, without cold", _spell(seconds), "", "", "at most 2 s"
        more = median(verification.verify_seconds(pattern, cold=True) for _ in range(SELDOM))
        yield f"cold on {pattern}", _spell(more - seconds), "", "", "at most 5 s more"


def _replayed() -> Iterator[tuple[str, ...]]:
    for steps, most in REPLAYED:
        points, seconds = verification.replay_seconds(steps, most)
        yield f"{steps:,}", f"{points:,} {'(selected)' if most else '(all)'}", _spell(seconds)


def _imported() -> Iterator[tuple[str, ...]]:
    both = [importing.measured(side) for side in (importing.DURABLE, importing.BASELINE)]
    yield "peak memory", *(f"{one.peak_mb:,.0f} MB" for one in both)
    yield "peak before the import", *(f"{one.before_mb:,.0f} MB" for one in both)
    yield "time", *(_spell(one.seconds) for one in both)
    yield "invocations", *(str(one.invocations) for one in both)


def _both(handler: Handler, number: int, times: int = ONCE) -> tuple[partial[None], partial[None]]:
    return (
        partial(_repeat, sides.simulated, handler, number, times),
        partial(_repeat, sides.official, handler, number, times),
    )


def _repeat(run: sides.Side, handler: Handler, number: int, times: int) -> None:
    for _ in range(times):
        run(handler, number)


def _times(what: str, measured: Measured, other: str, target: str) -> tuple[str, ...]:
    theirs = f"{_spell(measured.theirs)} ({other})"
    return what, _spell(measured.ours), theirs, f"{measured.speed:.1f}× as fast", target


def _spell(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def _table(header: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> None:
    _say("")
    for row in (header, ("---",) * len(header)):
        _say(f"| {' | '.join(row)} |")
    for row in rows:
        _say(f"| {' | '.join(row)} |")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
