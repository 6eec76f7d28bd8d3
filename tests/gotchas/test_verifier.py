"""The verifier tells every broken handler from its fixed one, by what is wrong with it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from dacapo.verify.findings import Code
from dacapo.verify.verifier import verify
from gotchas import GOTCHAS

CRASHES = 12
FOUND_BY = {
    "branch_on_chance": {Code.OTHER_OPERATION, Code.CHANCE_OUTSIDE_STEP},
    "effect_outside_a_step": {Code.EFFECT_OUTSIDE_STEP},
    "closure_changed_in_a_step": {Code.OTHER_RESULT},
    "dynamic_operation_name": {Code.OTHER_OPERATION, Code.CLOCK_OUTSIDE_STEP},
    "big_child_result": {Code.ENDED_EARLY, Code.NEVER_REACHED, Code.CHANCE_OUTSIDE_STEP},
    "unnamed_operations_swapped": {Code.OTHER_RESULT, Code.UNNAMED_OPERATION},
    "deadline_from_the_clock": {Code.OTHER_RESULT, Code.CLOCK_OUTSIDE_STEP},
    "time_left_from_the_clock": {Code.NEVER_REACHED, Code.CLOCK_OUTSIDE_STEP},
    "set_iterated": {Code.OTHER_OPERATION},
    "warm_cache": {Code.OTHER_OPERATION},
    "parent_context_in_a_child": {Code.OTHER_OPERATION},
    "durable_operation_in_a_step": {Code.OTHER_OPERATION},
    "user_threads": {Code.OTHER_OPERATION},
    "bare_except_around_a_wait": {Code.SUSPENSION_SWALLOWED},
    "finally_around_a_wait": {Code.SUSPENSION_SWALLOWED},
    "divergence_swallowed": {Code.DIVERGENCE_SWALLOWED},
    "at_most_once_twice": {Code.RAN_TWICE},
    "effect_before_a_result": {Code.EFFECT_OUTSIDE_STEP},
    "compensations_noted_in_steps": {Code.OTHER_OPERATION},
    "idempotency_key_in_the_body": {Code.EFFECT_REPEATED, Code.CHANCE_OUTSIDE_STEP},
    "big_step_result": {Code.OTHER_OPERATION},
    "execution_timeout_too_short": {Code.TIMEOUT_TOO_LONG},
}
"""What must be among the findings, for each gotcha that a run can prove."""
SEEN_WITHOUT_A_REPLAY = {
    "except_timeout_error": "the first run fails already, with the error that was not caught",
    "except_my_error": "the first run fails already, with the error that was not caught",
    "types_that_change": "the first run goes wrong already, and every replay in the same way",
    "poll_without_a_bound": "the first run is ended by its ExecutionTimeout already",
    "callback_without_a_timeout": "no run comes to an end: `run` says so, and names the callback",
}


def verified(name: str, story: str) -> Any:
    return verify(getattr(import_module(f"gotchas.{name}"), story), crashes=CRASHES)


def test_every_gotcha_is_in_one_of_the_tables() -> None:
    assert sorted([*FOUND_BY, *SEEN_WITHOUT_A_REPLAY]) == sorted(GOTCHAS)


@pytest.mark.parametrize("name", FOUND_BY)
def test_what_is_wrong_with_a_broken_handler_is_proved_and_named(name: str) -> None:
    report = verified(name, "breaks")
    assert report.proved
    assert {finding.code for finding in report.findings} >= FOUND_BY[name]


@pytest.mark.parametrize("name", FOUND_BY)
def test_nothing_is_found_in_a_fixed_handler(name: str) -> None:
    assert [finding.message for finding in verified(name, "holds").findings] == []


@pytest.mark.parametrize(
    "name", [n for n in SEEN_WITHOUT_A_REPLAY if n != "callback_without_a_timeout"]
)
def test_what_shows_without_a_replay_is_no_finding_about_replay(name: str) -> None:
    assert verified(name, "breaks").proved == []
    assert verified(name, "holds").proved == []
