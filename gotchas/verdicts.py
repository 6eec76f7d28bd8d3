"""Expected finding and outcomes of each broken handler. The tests check them."""

from __future__ import annotations

from typing import NamedTuple

SUCCEEDED = "SUCCEEDED"
DIVERGED = "FAILED NonDeterministicExecutionError"
TIMED_OUT = "TIMED_OUT"
NEVER_ENDS = "RUNNING"
CUT_OFF = "FAILED Sandbox.Timedout"
NOT_A_DICT = "FAILED TypeError"
"""AWS's local runner passes an object where Lambda passes a dict."""


class Verdict(NamedTuple):
    """The finding for a broken handler, and the outcome of a plain run.

    Parameters:
        finding: the code of the only finding of `dacapo verify`.
        official: the outcome on AWS's local runner; None if it can't run the scenario.
        dacapo: the outcome on the simulated service.
        wrong_on_official, wrong_on_dacapo: whether a run that succeeds has side effects, times or
            a result that differ from those of the fixed handler.
        kind: `proved`, or `lint`.
    """

    finding: str
    official: str | None
    dacapo: str
    wrong_on_official: bool = False
    wrong_on_dacapo: bool = False
    kind: str = "proved"


VERDICTS = {
    "branch_on_chance": Verdict("randomness-outside-step", SUCCEEDED, DIVERGED),
    "effect_outside_a_step": Verdict("effect-outside-step", SUCCEEDED, SUCCEEDED, True, True),
    "closure_changed_in_a_step": Verdict("different-result", SUCCEEDED, SUCCEEDED, True, True),
    "dynamic_operation_name": Verdict("clock-outside-step", SUCCEEDED, DIVERGED),
    "big_child_result": Verdict("ended-early", SUCCEEDED, SUCCEEDED, True, True),
    "unnamed_operations_swapped": Verdict("unnamed-operation", SUCCEEDED, SUCCEEDED, False, True),
    "deadline_from_the_clock": Verdict("clock-outside-step", SUCCEEDED, SUCCEEDED, False, True),
    "time_left_from_the_clock": Verdict("clock-outside-step", SUCCEEDED, "FAILED ValidationError"),
    "set_iterated": Verdict("process-state", SUCCEEDED, SUCCEEDED, False, False),
    "warm_cache": Verdict("different-operation", DIVERGED, DIVERGED),
    "parent_context_in_a_child": Verdict("parent-context", DIVERGED, DIVERGED),
    "durable_operation_in_a_step": Verdict("operation-in-step", DIVERGED, DIVERGED),
    "user_threads": Verdict("different-thread", DIVERGED, DIVERGED),
    "bare_except_around_a_wait": Verdict("suspension-swallowed", SUCCEEDED, SUCCEEDED, True, True),
    "finally_around_a_wait": Verdict("suspension-swallowed", SUCCEEDED, SUCCEEDED, True, True),
    "divergence_swallowed": Verdict("divergence-swallowed", SUCCEEDED, SUCCEEDED, True, True),
    "except_timeout_error": Verdict("never-caught", None, "FAILED CallbackTimeoutError"),
    "except_my_error": Verdict("never-caught", "FAILED StepError", "FAILED StepError"),
    "types_that_change": Verdict("changed-by-serdes", SUCCEEDED, SUCCEEDED, True, True, "lint"),
    "at_most_once_twice": Verdict("ran-twice", SUCCEEDED, SUCCEEDED, True, True),
    "effect_before_a_result": Verdict("effect-outside-step", SUCCEEDED, SUCCEEDED, True, True),
    "compensations_noted_in_steps": Verdict(
        "different-operation", SUCCEEDED, SUCCEEDED, True, True
    ),
    "idempotency_key_in_the_body": Verdict(
        "randomness-outside-step", SUCCEEDED, SUCCEEDED, True, True
    ),
    "idempotent_above_the_decorator": Verdict(
        "different-operation", NOT_A_DICT, "FAILED InvalidParameterValueException"
    ),
    "big_step_result": Verdict("payload-too-large", SUCCEEDED, "FAILED CheckpointError"),
    "execution_timeout_too_short": Verdict("timeout-too-long", None, TIMED_OUT),
    "poll_without_a_bound": Verdict("unbounded-wait", None, TIMED_OUT, kind="lint"),
    "poll_inside_a_step": Verdict("invocation-timed-out", None, CUT_OFF),
    "callback_without_a_timeout": Verdict("unbounded-wait", None, NEVER_ENDS, kind="lint"),
    "invokes_left_running": Verdict("invokes-left-running", SUCCEEDED, SUCCEEDED, False, True),
}
