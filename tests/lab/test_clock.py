"""Virtual time: timers fire in order, and nothing really sleeps."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dacapo.scenario import START
from dacapo.scheduling.clock import Clock
from dacapo.simulation.simulation import Simulation

SECOND = timedelta(seconds=1)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans())))
def test_timers_fire_by_time_and_then_in_creation_order(
    timers: list[tuple[int, bool]],
) -> None:
    clock = Clock(START)
    fired: list[tuple[int, int]] = []
    for number, (delay, is_cancelled) in enumerate(timers):
        timer = clock.schedule(delay * SECOND, partial(fired.append, (delay, number)), "timer")
        if is_cancelled:
            clock.cancel(timer)
            clock.cancel(timer)
    while clock.run_next():
        assert clock.now == START + fired[-1][0] * SECOND
    active = [(delay, n) for n, (delay, is_cancelled) in enumerate(timers) if not is_cancelled]
    assert fired == sorted(active)
    assert clock.is_idle()


def test_a_background_timer_does_not_keep_the_clock_busy() -> None:
    clock = Clock(START)
    clock.schedule(SECOND, lambda: None, "timeout", background=True)
    assert clock.is_idle()
    clock.schedule(SECOND, lambda: None, "work")
    assert not clock.is_idle()


def test_sleeping_fires_the_timers_that_fall_due_and_no_others() -> None:
    clock = Clock(START)
    fired: list[int] = []
    for seconds in (1, 5, 9):
        clock.schedule(seconds * SECOND, partial(fired.append, seconds), "timer")
    clock.sleep(5)
    assert fired == [1, 5]
    assert clock.now == START + 5 * SECOND


def test_a_timer_can_schedule_another_timer() -> None:
    clock = Clock(START)
    fired: list[datetime] = []
    clock.schedule(
        SECOND, lambda: clock.schedule(SECOND, lambda: fired.append(clock.now), "second"), "first"
    )
    while clock.run_next():
        pass
    assert fired == [START + 2 * SECOND]


def test_a_negative_sleep_is_refused() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        Clock(START).sleep(-1)


def test_the_process_clock_follows_virtual_time_and_stands_still_in_between() -> None:
    clock = Clock(START)
    with clock.driving_process():
        assert {datetime.now(UTC) for _ in range(3)} == {START}
        clock.sleep(0.5)
        assert time.time() == START.timestamp() + 0.5
    assert datetime.now(UTC) > START


def test_a_thread_outside_the_run_sleeps_in_real_time() -> None:
    simulation = Simulation(0, START)
    with simulation.running():
        thread = threading.Thread(target=time.sleep, args=(0.01,))
        thread.start()
        thread.join(timeout=10)
        assert simulation.clock.now == START
        time.sleep(60)  # virtual: the subject
        assert simulation.clock.now == START + 60 * SECOND
