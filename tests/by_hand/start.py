"""A migration that is started in the background: how often DMS starts it, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from patterns import start, start_before
from patterns.migration import task
from patterns.start_before import ENVELOPE
from tests.by_hand.fault import Fault
from tests.by_hand.starts import REQUEST, Make, System, by_hand, durable, told
from tests.interference import TurnTaking, dying_at, orders

HOUR_SECONDS = 3600
HALF_AN_HOUR, HALF_A_MINUTE = timedelta(minutes=30), timedelta(seconds=30)
CALLS = 3
"""DMS is asked how the task stands, asked again, and told to start it."""
Act = Callable[[System], None]


def _after(make: Make, act: Act) -> str:
    with make() as system:
        act(system)
        system.stage.play()
        return told(system)


# -- what goes wrong ------------------------------------------------------------------------------


def _asks_twice(system: System) -> None:
    system.will_end(HALF_AN_HOUR)
    assert system.ask()
    system.ask()


def _asks_again_later(system: System) -> None:
    system.will_end(HALF_AN_HOUR)
    assert system.ask()
    system.stage.pass_time(HOUR_SECONDS)
    system.ask()


def _comes_twice(pause: float, system: System) -> None:
    system.will_end(HALF_AN_HOUR)
    assert system.ask()
    system.stage.pass_time(pause)
    system.deliver()


def _front_dies(when: str, system: System) -> None:
    system.will_end(HALF_AN_HOUR)
    with dying_at([system.client], (0, when)) as died:
        assert system.ask() is None
    assert died
    assert system.ask()


def _work_dies(lasts: timedelta, system: System) -> None:
    assert system.ask()
    system.will_end(lasts)
    with dying_at([task.dms], (CALLS - 1, "after")) as died:
        system.stage.pass_time(HOUR_SECONDS)
    assert died


def _fails_later(make: Make) -> str:
    with make() as system:
        system.will_end(HALF_AN_HOUR, system.world.fail)
        assert system.ask()
        system.stage.play()
        return ", ".join(system.failures()) or "nothing on record"


def _envelope(make: Make) -> str:
    with make() as system:
        answer = system.stage.call(system.front, {ENVELOPE: REQUEST})
        return f"{told(system)} while it waits" if answer else f"{told(system)}, it is refused"


def _raced(make: Make, client: Any, calls: int) -> str:
    """Two requests at once, in every order of their calls, each order in a world of its own."""
    ends: set[str] = set()
    no_context: Any = None
    for order in orders(calls, calls):
        with make() as system:
            system.will_end(HALF_AN_HOUR)
            work = partial(start_before.handler, {ENVELOPE: REQUEST}, no_context)
            one = work if make is by_hand else system.deliver
            TurnTaking(order).run([client], A=one, B=one)
            system.stage.play()
            ends.add(told(system))
    return "; or ".join(sorted(ends))


def _both(what: str, act: Act) -> Fault:
    return Fault(what, partial(_after, by_hand, act), partial(_after, durable, act))


FAULTS = [
    _both("the client gets no answer, and asks again at once", _asks_twice),
    _both("… asks again when the migration has ended", _asks_again_later),
    _both("the event comes twice", partial(_comes_twice, 1)),
    _both("… the second time when the migration has ended", partial(_comes_twice, HOUR_SECONDS)),
    _both("it dies before it invokes, and the client asks again", partial(_front_dies, "before")),
    _both("it dies after that, and the client asks again", partial(_front_dies, "after")),
    _both("the work dies once DMS has started the task", partial(_work_dies, HALF_AN_HOUR)),
    _both("… which ends within half a minute", partial(_work_dies, HALF_A_MINUTE)),
    Fault(
        f"two at once (in {len(orders(CALLS, CALLS))} orders by hand, 2 durable)",
        lambda: _raced(by_hand, task.dms, CALLS),
        lambda: _raced(durable, start.lambda_client, 1),
    ),
    Fault(
        "the migration fails, half an hour later",
        partial(_fails_later, by_hand),
        partial(_fails_later, durable),
    ),
    Fault(
        "a caller sends the function's own envelope",
        partial(_envelope, by_hand),
        partial(_envelope, durable),
    ),
]
