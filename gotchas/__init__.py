"""Replay gotchas: one mistake in each file, with a `broken` and a `fixed` handler and scenarios.

None is deployed. `python -m gotchas NAME` shows one, `dacapo run gotchas/NAME.py:breaks` runs the
broken handler (`:holds` runs the fixed one). `SHOWS` says what a run of the broken one shows, and
`SHOWS_AT`, a part of a line of its code, where.
"""

import dacapo  # noqa: F401 - before boto3 clients are created

GROUPS: dict[str, tuple[str, ...]] = {
    "The five most common ones": (
        "branch_on_chance",
        "effect_outside_a_step",
        "closure_changed_in_a_step",
        "dynamic_operation_name",
        "big_child_result",
    ),
    "The handler body is nondeterministic": (
        "unnamed_operations_swapped",
        "deadline_from_the_clock",
        "time_left_from_the_clock",
        "set_iterated",
        "warm_cache",
    ),
    "Operations get the wrong IDs": (
        "parent_context_in_a_child",
        "durable_operation_in_a_step",
        "user_threads",
    ),
    "An `except` or a comparison doesn't match what arrives": (
        "bare_except_around_a_wait",
        "finally_around_a_wait",
        "divergence_swallowed",
        "except_timeout_error",
        "except_my_error",
        "types_that_change",
    ),
    "Side effects are repeated, or never undone": (
        "at_most_once_twice",
        "effect_before_a_result",
        "compensations_noted_in_steps",
        "idempotency_key_in_the_body",
        "idempotent_above_the_decorator",
    ),
    "Quotas and timeouts": (
        "big_step_result",
        "execution_timeout_too_short",
        "poll_without_a_bound",
        "poll_inside_a_step",
        "callback_without_a_timeout",
        "invokes_left_running",
    ),
}
"""The names of the modules by what they have in common, in teaching order."""
GOTCHAS: tuple[str, ...] = tuple(name for names in GROUPS.values() for name in names)
"""The names of the modules, in teaching order."""
