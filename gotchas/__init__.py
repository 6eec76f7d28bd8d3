"""Replay gotchas, one a file: `broken` and `fixed` side by side, with a scenario for each.

They are never deployed. `dacapo run gotchas/effect_outside_a_step.py:breaks` runs one; look at
`holds` for the mended one, and at `SHOWS` for what proves that the broken one is broken.
"""

import dacapo  # noqa: F401 - before the clients are made

GOTCHAS: tuple[str, ...] = (
    # The five that everybody meets first.
    "branch_on_chance",
    "effect_outside_a_step",
    "closure_changed_in_a_step",
    "dynamic_operation_name",
    "big_child_result",
    # The body comes out differently on replay.
    "unnamed_operations_swapped",
    "deadline_from_the_clock",
    "time_left_from_the_clock",
    "set_iterated",
    "warm_cache",
    # Operations are counted wrongly.
    "parent_context_in_a_child",
    "durable_operation_in_a_step",
    "user_threads",
    # What is caught is not what was meant.
    "bare_except_around_a_wait",
    "finally_around_a_wait",
    "divergence_swallowed",
    "except_timeout_error",
    "except_my_error",
    "types_that_change",
    # Once is not once.
    "at_most_once_twice",
    "effect_before_a_result",
    "compensations_noted_in_steps",
    "idempotency_key_in_the_body",
    # Bounds.
    "big_step_result",
    "execution_timeout_too_short",
    "poll_without_a_bound",
    "callback_without_a_timeout",
)
"""The names of their modules, in the order in which they teach best."""
