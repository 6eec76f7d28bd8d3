"""Virtual time: timers fire in order, nothing sleeps."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dacapo.scenario import START
from dacapo.service.clock import Clock
from dacapo.simulation import Simulation

SECOND = timedelta(seconds=1)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans())))
def test_timers_fire_by_time_and_then_in_the_order_in_which_they_were_made(
    made: list[tuple[int, bool]],
) -> None:
    clock = Clock(START)
    fired: list[tuple[int, int]] = []
    for number, (delay, is_cancelled) in enumerate(made):
        timer = clock.schedule(delay * SECOND, partial(fired.append, (delay, number)), "timer")
        if is_cancelled:
            clock.cancel(timer)
            clock.cancel(timer)
    while clock.run_next():
        assert clock.now == START + fired[-1][0] * SECOND
    kept = [(delay, n) for n, (delay, is_cancelled) in enumerate(made) if not is_cancelled]
    assert fired == sorted(kept)
    assert clock.is_idle()


def test_what_is_in_the_background_does_not_keep_the_clock_busy() -> None:
    clock = Clock(START)
    clock.schedule(SECOND, lambda: None, "timeout", background=True)
    assert clock.is_idle()
    clock.schedule(SECOND, lambda: None, "work")
    assert not clock.is_idle()


def test_sleeping_lets_happen_what_falls_due_and_no_more() -> None:
    clock = Clock(START)
    fired: list[int] = []
    for seconds in (1, 5, 9):
        clock.schedule(seconds * SECOND, partial(fired.append, seconds), "timer")
    clock.sleep(5)
    assert fired == [1, 5]
    assert clock.now == START + 5 * SECOND


def test_a_timer_may_make_timers() -> None:
    clock = Clock(START)
    fired: list[datetime] = []
    clock.schedule(
        SECOND, lambda: clock.schedule(SECOND, lambda: fired.append(clock.now), "second"), "first"
    )
    while clock.run_next():
        pass
    assert fired == [START + 2 * SECOND]


def test_time_can_not_be_slept_backwards() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        Clock(START).sleep(-1)


def test_the_process_clock_follows_and_stands_still_in_between() -> None:
    clock = Clock(START)
    with clock.drives_process():
        assert {datetime.now(UTC) for _ in range(3)} == {START}
        clock.sleep(0.5)
        assert time.time() == START.timestamp() + 0.5
    assert datetime.now(UTC) > START


def test_a_thread_that_is_not_the_runs_sleeps_in_real_time() -> None:
    simulation = Simulation(0, START)
    with simulation.running():
        thread = threading.Thread(target=time.sleep, args=(0.01,))
        thread.start()
        thread.join(timeout=10)
        assert simulation.clock.now == START
        time.sleep(60)
        assert simulation.clock.now == START + 60 * SECOND
