"""Starting a migration in the background: how often DMS starts it, and where failures show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from baselines import start_migration as start_baseline
from baselines.start_migration import ENVELOPE
from patterns import starting
from patterns.migration import task
from tests.baselines.fault import Fault
from tests.baselines.starts import REQUEST, Make, System, baseline_system, durable, summary
from tests.interference import Interleaving, crash_at, interleavings

HOUR_SECONDS = 3600
HALF_AN_HOUR, HALF_A_MINUTE = timedelta(minutes=30), timedelta(seconds=30)
CALLS = 3
"""Two calls for the status of the task, and one to start it."""
Act = Callable[[System], None]


def _after(make: Make, act: Act) -> str:
    with make() as system:
        act(system)
        system.stage.play()
        return summary(system)


# -- faults -------------------------------------------------------------------------------------


def _retries_at_once(system: System) -> None:
    system.will_end(HALF_AN_HOUR)
    assert system.ask()
    system.ask()


def _retries_later(system: System) -> None:
    system.will_end(HALF_AN_HOUR)
    assert system.ask()
    system.stage.pass_time(HOUR_SECONDS)
    system.ask()


def _delivered_twice(pause: float, system: System) -> None:
    system.will_end(HALF_AN_HOUR)
    assert system.ask()
    system.stage.pass_time(pause)
    system.deliver()


def _front_crashes(when: str, system: System) -> None:
    system.will_end(HALF_AN_HOUR)
    with crash_at([system.client], (0, when)) as deaths:
        assert system.ask() is None
    assert deaths
    assert system.ask()


def _work_crashes(lasts: timedelta, system: System) -> None:
    assert system.ask()
    system.will_end(lasts)
    with crash_at([task.dms], (CALLS - 1, "after")) as deaths:
        system.stage.pass_time(HOUR_SECONDS)
    assert deaths


def _fails_later(make: Make) -> str:
    with make() as system:
        system.will_end(HALF_AN_HOUR, system.world.fail)
        assert system.ask()
        system.stage.play()
        return ", ".join(system.failures()) or "no record of it"


def _envelope(make: Make) -> str:
    with make() as system:
        response = system.stage.call(system.front, {ENVELOPE: REQUEST})
        return f"{summary(system)}{' while the caller waits' if response else ', rejected'}"


def _raced(make: Make, client: Any, calls: int) -> str:
    """Send two requests at once, in every interleaving of their calls, each in a fresh world."""
    ends: set[str] = set()
    no_context: Any = None
    for order in interleavings(calls, calls):
        with make() as system:
            system.will_end(HALF_AN_HOUR)
            work = partial(start_baseline.handler, {ENVELOPE: REQUEST}, no_context)
            one = work if make is baseline_system else system.deliver
            Interleaving(order).run([client], A=one, B=one)
            system.stage.play()
            ends.add(summary(system))
    return "; or ".join(sorted(ends))


def _both(description: str, act: Act) -> Fault:
    return Fault(description, partial(_after, baseline_system, act), partial(_after, durable, act))


FAULTS = [
    _both("the client gets no response and retries at once", _retries_at_once),
    _both("… and retries after the migration has ended", _retries_later),
    _both("the event is delivered twice", partial(_delivered_twice, 1)),
    _both(
        "… the second time after the migration has ended", partial(_delivered_twice, HOUR_SECONDS)
    ),
    _both("it crashes before invoking; the client retries", partial(_front_crashes, "before")),
    _both("it crashes after invoking; the client retries", partial(_front_crashes, "after")),
    _both("the work crashes after DMS has started the task", partial(_work_crashes, HALF_AN_HOUR)),
    _both("… and the task ends within 30 seconds", partial(_work_crashes, HALF_A_MINUTE)),
    Fault(
        f"two requests at once ({len(interleavings(CALLS, CALLS))} interleavings; durable: 2)",
        lambda: _raced(baseline_system, task.dms, CALLS),
        lambda: _raced(durable, starting.lambda_client, 1),
    ),
    Fault(
        "the migration fails 30 minutes later",
        partial(_fails_later, baseline_system),
        partial(_fails_later, durable),
    ),
    Fault(
        "a caller sends the envelope that the function sends to itself",
        partial(_envelope, baseline_system),
        partial(_envelope, durable),
    ),
]
