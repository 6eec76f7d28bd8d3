"""What a schedule is: what it is called, where its days are looked up, and how far it has come.

A schedule is a chain of executions: each makes some rounds and starts the next. The event of an
execution is all that it knows of those before it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from patterns.schedule.calendars import CALENDARS, Calendar

MOST_ROUNDS = 144
"""Rounds of one execution: two working days, or six days off.

A round is three operations: decide, wait, work. 144 of them are 434 with the start and the
hand-over, which replay in some 40 ms; even if all work needs all of its 6 attempts they are 1,159,
of the 3,000 that an execution may have.
"""


_ALIASED = re.compile(r"(arn:[^:]+:lambda:[^:]+:\d+:function:)?[\w-]+:(?!\d+$)[\w-]+")


class InvalidSchedule(Exception):  # noqa: N818 - says what it is
    """The event is no schedule; the message names the field."""


class Request(BaseModel):
    """What is asked for.

    Parameters:
        name: what the schedule is called; used once. To begin again after a schedule has ended,
            choose another name.
        calendar: the place whose days and clocks count, as `calendars.json` has it.
        until: when the last work may be due, with its offset from UTC; None for no end.
        rounds: how many rounds an execution makes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    calendar: str
    until: AwareDatetime | None = None
    rounds: int = Field(default=MOST_ROUNDS, ge=1, le=MOST_ROUNDS, strict=True)

    @field_validator("calendar")
    @classmethod
    def _is_known(cls, place: str) -> str:
        if place not in CALENDARS:
            raise ValueError(f"give one of {', '.join(sorted(CALENDARS))}")
        return place

    def to_json(self) -> dict[str, Any]:
        """It as JSON values."""
        return self.model_dump(mode="json")


class Plan(Request):
    """What an execution is started with.

    Parameters:
        function: the durable function itself, with its alias.
        generation: which execution of the chain this is, from 1.
        last: the moment of the last round before it; None if there was none.
        failures: how many rounds in a row have failed before it.
    """

    function: str
    generation: int = Field(default=1, ge=1, strict=True)
    last: AwareDatetime | None = None
    failures: int = Field(default=0, ge=0, strict=True)

    @field_validator("function")
    @classmethod
    def _has_alias(cls, function: str) -> str:
        # A successor that is started at the version of the one before it would never get new code.
        if not _ALIASED.fullmatch(function):
            raise ValueError("give it with its alias, as in 'name:live', not with a version")
        return function

    @property
    def days(self) -> Calendar:
        """The calendar that counts."""
        return CALENDARS[self.calendar]

    @property
    def key(self) -> str:
        """The business key of this execution."""
        return f"schedule {self.name} {self.generation}"

    def is_over(self, moment: str) -> bool:
        """Whether a moment (ISO 8601) lies after the end."""
        return self.until is not None and datetime.fromisoformat(moment) > self.until

    def successor(self, *, last: str, failures: int) -> Plan:
        """The plan of the next execution, after a last round at that moment."""
        changes = {
            "generation": self.generation + 1,
            "last": datetime.fromisoformat(last),
            "failures": failures,
        }
        return self.model_copy(update=changes)


def plan_of(event: Any) -> Plan:
    """The plan that an event holds.

    Raises:
        InvalidSchedule: a field is missing, or is not what it should be.
    """
    try:
        return Plan.model_validate(event)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "the event"
        says = first["msg"].removeprefix("Value error, ")
        raise InvalidSchedule(f"{field}: {says}") from None
