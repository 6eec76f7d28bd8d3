"""What the experiments find."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from dacapo.places import Place

PROVED: Literal["proved"] = "proved"
SUSPECTED: Literal["suspected"] = "suspected"
Certainty = Literal["proved", "suspected"]
AS_SCHEDULED = "as scheduled"
"""The experiment that the others are compared with."""


class Code(StrEnum):
    """What can be found; these names are stable."""

    OTHER_OPERATION = "other-operation"
    OTHER_BODY = "other-body"
    OTHER_WAIT = "other-wait"
    OTHER_CALLBACK = "other-callback"
    OTHER_INVOKE = "other-invoke"
    OTHER_RESULT = "other-result"
    OTHER_EFFECTS = "other-effects"
    ENDED_EARLY = "ended-early"
    NEVER_REACHED = "never-reached"
    DIVERGENCE_SWALLOWED = "divergence-swallowed"
    SUSPENSION_SWALLOWED = "suspension-swallowed"
    EFFECT_OUTSIDE_STEP = "effect-outside-step"
    EFFECT_REPEATED = "effect-repeated"
    CLOCK_OUTSIDE_STEP = "clock-outside-step"
    CHANCE_OUTSIDE_STEP = "chance-outside-step"
    ENVIRONMENT_OUTSIDE_STEP = "environment-outside-step"
    OPERATION_IN_STEP = "operation-in-step"
    PARENT_CONTEXT = "parent-context"
    OTHER_THREAD = "other-thread"
    NEVER_CAUGHT = "never-caught"
    CHANGED_BY_SERDES = "changed-by-serdes"
    RAN_TWICE = "ran-twice"
    DIED = "died"
    STUCK = "stuck"
    PAYLOAD_TOO_LARGE = "payload-too-large"
    MANY_OPERATIONS = "many-operations"
    MANY_BYTES = "many-bytes"
    TIMEOUT_TOO_LONG = "timeout-too-long"
    UNNAMED_OPERATION = "unnamed-operation"
    UNBOUNDED_WAIT = "unbounded-wait"


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a handler, or may be.

    Parameters:
        certainty: `proved` if a run showed it, `suspected` if it changed nothing that was seen.
        message: what was seen.
        experiment: which experiment saw it.
        place: the line of the user's code; None if there is none to name.
        recorded, replayed: the two traces that differ, line by line; empty if it is not about that.
    also: what else was seen that this explains.
    """

    code: Code
    certainty: Certainty
    message: str
    experiment: str
    place: Place | None = None
    recorded: tuple[str, ...] = field(default=(), compare=False)
    replayed: tuple[str, ...] = field(default=(), compare=False)
    also: tuple[Finding, ...] = field(default=(), compare=False)


def proved(findings: Iterable[Finding]) -> list[Finding]:
    """Those that a run showed."""
    return [finding for finding in findings if finding.certainty == PROVED]
