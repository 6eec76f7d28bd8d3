"""The outcome of each gotcha in a plain run: on AWS's local runner, and with `dacapo run`.

A quick test doesn't notice a broken handler that succeeds here. The last two columns of the table
say whether it would notice if it counted side effects.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from itertools import accumulate
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from aws_durable_execution_sdk_python import exceptions
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner

import dacapo
from dacapo import Recording, Scenario, UnsupportedByEngine
from dacapo.official import runner
from gotchas import GOTCHAS, shop
from gotchas.verdicts import DIVERGED, SUCCEEDED, TIMED_OUT, VERDICTS
from tests.lab import handlers

pytestmark = pytest.mark.prove  # AWS's runner keeps real time

RUNNING = "RUNNING"
NO_TIMEOUT = "a callback is left to time out, which takes real time here"
KEEPS_REAL_TIME = {
    "poll_without_a_bound": "polls until its ExecutionTimeout, which takes half a day",
    "poll_inside_a_step": "sleeps until its invocations time out, which takes more than an hour",
}
"""Gotchas that take real time on the official runner, with the reason."""

LASTS_TOO_LONG = {
    "except_timeout_error",
    "execution_timeout_too_short",
    "callback_without_a_timeout",
}
"""Gotchas with a callback that nobody answers: `dacapo.official` rejects them; see below."""


def released_early(recording: Recording) -> bool:
    released = recording.operation("release the seat").stored.start_timestamp
    paid = recording.operation("payment").stored.end_timestamp
    assert released is not None
    return paid is None or released < paid


def most_rendered_at_once(recording: Recording) -> int:
    """Return how many films were being rendered at once, as far as the engine records it."""
    times = [(o.started, 1) for o in recording.others]
    times += [(o.ended, -1) for o in recording.others if o.ended is not None]
    return max(accumulate((change for _, change in sorted(times)), initial=0))


WRONG: dict[str, Callable[[Recording], bool]] = {
    "effect_outside_a_step": lambda r: r.world.sent.count("thanks for order 17") != 1,
    "closure_changed_in_a_step": lambda r: r.world.sent != ["you paid 12 euros"],
    "big_child_result": lambda r: len(set(r.world.sent)) != 1,
    "unnamed_operations_swapped": lambda r: r.result != {"paid": 12, "parcel": "parcel 4711"},
    "deadline_from_the_clock": lambda r: r.world.sent[0][-11:] not in r.world.sent[1],
    "set_iterated": lambda r: len(r.world.sent) != 7,
    "bare_except_around_a_wait": lambda r: "Ada: nobody answered" in r.world.sent,
    "finally_around_a_wait": released_early,
    "divergence_swallowed": lambda r: r.world.sent != ["your order: paid"],
    "types_that_change": lambda r: r.world.sent != ["article 17 is in stock"],
    "at_most_once_twice": lambda r: r.world.sent.count("pay 12 euros") != 1,
    "effect_before_a_result": lambda r: len(r.world.sent) != 1,
    "compensations_noted_in_steps": lambda r: len(r.world.sent) != 4,
    "idempotency_key_in_the_body": lambda r: r.world.charged != [12],
    "invokes_left_running": lambda r: most_rendered_at_once(r) > 2,
}
"""Detects wrong side effects or a wrong result in a run that succeeded."""


def module_of(gotcha: str) -> ModuleType:
    return import_module(f"gotchas.{gotcha}")


def ending(recording: Recording) -> str:
    kind = (recording.error and recording.error.type) or ""
    return f"{recording.status} {kind.removeprefix(f'{exceptions.__name__}.')}".strip()


def is_wrong(gotcha: str, recording: Recording) -> bool:
    return recording.status == SUCCEEDED and gotcha in WRONG and WRONG[gotcha](recording)


def on_official(gotcha: str, scenario: Scenario) -> Recording:
    if gotcha in LASTS_TOO_LONG:
        with pytest.raises(UnsupportedByEngine, match=NO_TIMEOUT):
            runner.run(scenario)
        pytest.skip(f"the official runner can't run this scenario: {NO_TIMEOUT}")
    return runner.run(scenario)


@pytest.fixture(autouse=True)
def seeded_random() -> Iterator[None]:
    """Seed `random`: it decides whether the official runner notices `branch_on_chance`."""
    state = random.getstate()
    random.seed(0)
    yield
    random.setstate(state)


def test_the_table_has_every_gotcha_in_teaching_order() -> None:
    assert tuple(VERDICTS) == GOTCHAS
    assert all(module_of(gotcha).SHOWS and module_of(gotcha).__doc__ for gotcha in GOTCHAS)


@pytest.mark.parametrize("gotcha", GOTCHAS)
def test_a_broken_handler_ends_on_the_official_runner_as_the_table_says(gotcha: str) -> None:
    if gotcha in KEEPS_REAL_TIME:
        pytest.skip(f"the official runner can't run this scenario: it {KEEPS_REAL_TIME[gotcha]}")
    recording = on_official(gotcha, module_of(gotcha).breaks)
    assert ending(recording) == VERDICTS[gotcha].official
    assert is_wrong(gotcha, recording) == VERDICTS[gotcha].wrong_on_official


@pytest.mark.parametrize("gotcha", GOTCHAS)
def test_a_fixed_handler_succeeds_on_the_official_runner(gotcha: str) -> None:
    recording = on_official(gotcha, module_of(gotcha).holds)
    assert ending(recording) == SUCCEEDED
    assert not is_wrong(gotcha, recording)


@pytest.mark.parametrize("gotcha", GOTCHAS)
def test_a_broken_handler_ends_on_dacapo_as_the_table_says(gotcha: str) -> None:
    recording = dacapo.run(module_of(gotcha).breaks)
    assert ending(recording) == VERDICTS[gotcha].dacapo
    assert is_wrong(gotcha, recording) == VERDICTS[gotcha].wrong_on_dacapo


@pytest.mark.parametrize("gotcha", GOTCHAS)
def test_a_fixed_handler_succeeds_on_dacapo(gotcha: str) -> None:
    recording = dacapo.run(module_of(gotcha).holds)
    assert ending(recording) == SUCCEEDED
    assert not is_wrong(gotcha, recording)


# -- details that don't fit the table --------------------------------------------------------------


def test_the_official_runner_notices_a_random_branch_only_at_random() -> None:
    breaks = module_of("branch_on_chance").breaks
    assert runner.run(breaks).status == SUCCEEDED
    random.seed(4)
    assert ending(runner.run(breaks)) == DIVERGED


@pytest.mark.parametrize("run", [dacapo.run, runner.run])
def test_a_key_generated_inside_the_step_charges_twice_too(
    run: Callable[[Scenario], Recording],
) -> None:
    recording = run(module_of("idempotency_key_in_the_body").breaks_inside)
    assert (recording.status, recording.world.charged) == (SUCCEEDED, [12, 12])


def test_idempotent_keyed_on_the_whole_input_lets_a_duplicate_start() -> None:
    recording = dacapo.run(module_of("idempotent_above_the_decorator").breaks_by_default)
    assert len(recording.invocations) == 2
    assert [other.status for other in recording.others] == [SUCCEEDED]
    assert recording.world.sent.count("order 17") == 2


def test_an_execution_name_makes_a_duplicate_start_nothing() -> None:
    module = module_of("idempotent_above_the_decorator")
    recording = dacapo.run(module.holds_redelivered)
    assert (len(recording.others), recording.world.sent) == (0, ["order 17", "on its way"])
    unnamed = replace(module.holds, external_events=[module.redelivered("fixed")])
    assert len(dacapo.run(unnamed).others) == 1, "nothing was redelivered"


def test_only_the_first_run_of_a_process_notices_a_warm_cache() -> None:
    module = module_of("warm_cache")
    warm = Scenario(handler=module.broken, event=module.breaks.event, world=shop.world)
    assert dacapo.run(module.breaks).status == "FAILED"
    assert dacapo.run(warm).status == SUCCEEDED


def test_a_small_child_result_is_read_back() -> None:
    module = module_of("big_child_result")
    small = Scenario(handler=module.broken, event={"codes": 5}, world=shop.world)
    assert not is_wrong("big_child_result", dacapo.run(small))


# -- real time on the official runner, with timeouts of a second or two ----------------------------


def seconds(number: int) -> WaitForCallbackConfig:
    return WaitForCallbackConfig(timeout=Duration.from_seconds(number))


class Shortened(NamedTuple):
    """A scenario with short timeouts, and its outcome after some seconds of real time.

    Parameters:
        constants: constants of the module, and their replacements.
        execution_timeout: in seconds.
    """

    gotcha: str
    scenario: str
    ends: str
    constants: dict[str, Any]
    execution_timeout: int = 60


@pytest.mark.parametrize(
    "run",
    [
        Shortened("except_timeout_error", "breaks", "FAILED", {"PATIENCE": seconds(1)}),
        Shortened("except_timeout_error", "holds", SUCCEEDED, {"PATIENCE": seconds(1)}),
        Shortened("execution_timeout_too_short", "breaks", TIMED_OUT, {"A_WEEK": seconds(9)}, 3),
        Shortened("execution_timeout_too_short", "holds", SUCCEEDED, {"A_DAY": seconds(1)}, 3),
        Shortened("poll_without_a_bound", "breaks", TIMED_OUT, {}, 1),
        Shortened("callback_without_a_timeout", "breaks", RUNNING, {}),
    ],
    ids=lambda run: f"{run.gotcha}-{run.scenario}",
)
def test_a_short_timeout_ends_on_the_official_runner_in_real_time(
    run: Shortened, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = module_of(run.gotcha)
    for name, value in run.constants.items():
        monkeypatch.setattr(module, name, value)
    scenario: Scenario = getattr(module, run.scenario)
    with scenario.world(), DurableFunctionTestRunner(scenario.handler) as runner:
        arn = runner.run_async(json.dumps(scenario.event), run.execution_timeout)
        try:
            result = runner.wait_for_result(arn, timeout=2 if run.ends == RUNNING else 20)
        except TimeoutError:
            assert run.ends == RUNNING
        else:
            assert result.execution_status is not None
            assert result.execution_status.value == run.ends


def test_the_official_runner_measures_the_execution_timeout_in_real_time() -> None:
    minutes = Scenario(handler=handlers.waits, event=2, execution_timeout=timedelta(seconds=30))
    assert dacapo.run(minutes).status == TIMED_OUT
    assert runner.run(minutes).status == SUCCEEDED
