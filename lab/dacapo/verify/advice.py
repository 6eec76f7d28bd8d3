"""What each finding means: the rule that is broken, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from dacapo.verify.findings import Code

PAGE = "docs/gotchas.md"
"""Where each of them is explained, in a section of its name."""


@dataclass(frozen=True)
class Advice:
    """A rule in one sentence, and what to do where it is broken."""

    rule: str
    fix: str


ADVICE = {
    Code.OTHER_OPERATION: Advice(
        "A replay has to reach the same operations in the same order.",
        "Let what decides the way come from the event or from a step's result.",
    ),
    Code.OTHER_BODY: Advice(
        "A replay has to reach the same operations in the same order.",
        "Name every operation, and let what decides the way come from a step's result.",
    ),
    Code.OTHER_WAIT: Advice(
        "The length of a wait has to be the same on every replay.",
        "Work it out in a step, or from the event.",
    ),
    Code.OTHER_CALLBACK: Advice(
        "The options of a callback have to be the same on every replay.",
        "Work them out in a step, or from the event.",
    ),
    Code.OTHER_INVOKE: Advice(
        "What is invoked, and with what, has to be the same on every replay.",
        "Make the payload in a step, or from the event.",
    ),
    Code.OTHER_RESULT: Advice(
        "What a handler, or a child context, returns has to follow from what is recorded.",
        "Return what steps returned; keep nothing in variables that a step's body changes.",
    ),
    Code.OTHER_EFFECTS: Advice(
        "How often a handler is interrupted must not show in what it does.",
        "Put every effect into a step.",
    ),
    Code.ENDED_EARLY: Advice(
        "A replay has to come as far as the run before it.",
        "Let nothing but the event and the results of steps decide whether to go on.",
    ),
    Code.NEVER_REACHED: Advice(
        "A replay has to read back everything that is recorded.",
        "Let nothing but the event and the results of steps decide which operations there are.",
    ),
    Code.DIVERGENCE_SWALLOWED: Advice(
        "A divergence has to end the execution; it must not be caught.",
        "Catch the SDK's errors by name (StepError, CallbackError), never every Exception.",
    ),
    Code.SUSPENSION_SWALLOWED: Advice(
        "A suspension is no end: it has to leave the handler at once, and nothing may be done.",
        "Around a wait, catch errors by name, and clean up below it, not in a finally.",
    ),
    Code.EFFECT_OUTSIDE_STEP: Advice(
        "Whatever is done outside a step is done again on every replay.",
        "Move it into a step.",
    ),
    Code.EFFECT_REPEATED: Advice(
        "A step may run more than once, so its effect must be the same one when it comes again.",
        "Give it an idempotency key that was made before the step, or from the execution's ARN.",
    ),
    Code.CLOCK_OUTSIDE_STEP: Advice(
        "The clock shows another time on every replay.", "Read it in a step."
    ),
    Code.CHANCE_OUTSIDE_STEP: Advice(
        "Chance gives something else on every replay.", "Draw it in a step."
    ),
    Code.ENVIRONMENT_OUTSIDE_STEP: Advice(
        "The environment may have changed by the next replay.", "Read it in a step."
    ),
    Code.OPERATION_IN_STEP: Advice(
        "What is inside a step is not replayed, so no durable operation may be in it.",
        "Put the operations one after the other, or into a child context.",
    ),
    Code.PARENT_CONTEXT: Advice(
        "An operation is counted by the context that it is called on: it must be the innermost.",
        "Use the context that the child, or the branch, is given.",
    ),
    Code.OTHER_THREAD: Advice(
        "Operations are counted as they come, so their order must not be a matter of threads.",
        "Use context.parallel or context.map.",
    ),
    Code.NEVER_CAUGHT: Advice(
        "An operation raises the SDK's errors, never the one that made it fail.",
        "Catch StepError, CallbackTimeoutError, … and look at error_type.",
    ),
    Code.CHANGED_BY_SERDES: Advice(
        "A result goes through a serializer and back before the handler sees it.",
        "Return what JSON can hold, with text as keys.",
    ),
    Code.RAN_TWICE: Advice(
        "At-most-once means once for each attempt, and a retry is another attempt.",
        "Give the step StepConfig(retry_strategy=RetryPresets.none()) as well.",
    ),
    Code.DIED: Advice("A replay must not fail.", "See the error."),
    Code.STUCK: Advice("A replay has to come to an end.", "See where it was stopped."),
    Code.PAYLOAD_TOO_LARGE: Advice(
        "No payload may be larger than 256 KB.", "Store it elsewhere, and return where it is."
    ),
    Code.MANY_OPERATIONS: Advice(
        "An execution is failed at 3,000 operations.",
        "Hand over to a fresh execution before that.",
    ),
    Code.MANY_BYTES: Advice(
        "An execution is failed when it has written 100 MB.",
        "Store large results elsewhere, and return where they are.",
    ),
    Code.TIMEOUT_TOO_LONG: Advice(
        "An execution that times out runs no line of its handler.",
        "Let what is waited for time out before the execution does.",
    ),
    Code.UNNAMED_OPERATION: Advice(
        "The name is what a replay compares: without one, two operations can change places unseen.",
        "Give it a name.",
    ),
    Code.UNBOUNDED_WAIT: Advice(
        "A wait that nothing bounds may never end.", "Give it a timeout, or a number of attempts."
    ),
}
