"""Define what a schedule is: its name, its calendar, and its progress.

A schedule is a chain of executions: each runs a number of rounds and starts the next. The event of
an execution is all that it knows about those before it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from patterns.schedule.calendars import CALENDARS, Calendar

MAX_ROUNDS = 144
"""Maximum number of moments in one execution: two working days, or six days off.

A round has three operations: schedule, wait, and run. With the start and the hand-over, 144 rounds
have 434 operations, which replay in about 40 ms. Retries can add 1,978 to them, so that they have
at most 2,412 of the 3,000 that an execution may have:

- 720 for 5 quick retries of each round.
- 1,152 for all others, which take at least 7.5 minutes each: 8 in each of the 144 hours.
- 53 for the last round, which may take longer than its hour, and 53 for the hand-over.
"""


_ALIASED = re.compile(r"(arn:[^:]+:lambda:[^:]+:\d+:function:)?[\w-]+:(?!\d+$)[\w-]+")


class InvalidSchedule(Exception):  # noqa: N818 - says what it is
    """The event isn't a valid schedule; the message names the field."""


class Request(BaseModel):
    """A request to start a schedule.

    Parameters:
        name: the schedule's name, 1 to 200 characters. A name can be used once: to restart a
            schedule that has ended, choose another name.
        calendar: the place whose calendar and clock apply; a key of `calendars.json`.
        until: the last moment when work may be due, with a UTC offset; None means no end.
        rounds: the number of moments per execution, worked or not, 1 to 144.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    calendar: str
    until: AwareDatetime | None = None
    rounds: int = Field(default=MAX_ROUNDS, ge=1, le=MAX_ROUNDS, strict=True)

    @field_validator("calendar")
    @classmethod
    def _is_known(cls, place: str) -> str:
        if place not in CALENDARS:
            raise ValueError(f"must be one of {', '.join(sorted(CALENDARS))}")
        return place

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return self.model_dump(mode="json")


class Plan(Request):
    """The input of one execution.

    Parameters:
        function: this durable function, qualified with its alias.
        generation: the position of this execution in the chain, starting at 1.
        last: the moment of the last round before this execution, or None if there was none.
        failures: the number of consecutive failures before this execution.
    """

    function: str
    generation: int = Field(default=1, ge=1, strict=True)
    last: AwareDatetime | None = None
    failures: int = Field(default=0, ge=0, strict=True)

    @field_validator("function")
    @classmethod
    def _has_alias(cls, function: str) -> str:
        # A successor started on its predecessor's version would never run new code.
        if not _ALIASED.fullmatch(function):
            raise ValueError("must have an alias, as in 'name:live', not a version")
        return function

    @property
    def days(self) -> Calendar:
        """Calendar that applies."""
        return CALENDARS[self.calendar]

    @property
    def key(self) -> str:
        """Business key of this execution."""
        return f"schedule {self.name} {self.generation}"

    def is_over(self, moment: str) -> bool:
        """Return True if a moment (ISO 8601) is after the end of the schedule."""
        return self.until is not None and datetime.fromisoformat(moment) > self.until

    def successor(self, *, last: str, failures: int) -> Plan:
        """Return the plan of the next execution.

        Parameters:
            last: the moment of the last round, ISO 8601.
            failures: the number of consecutive failures up to that round.
        """
        changes = {
            "generation": self.generation + 1,
            "last": datetime.fromisoformat(last),
            "failures": failures,
        }
        return self.model_copy(update=changes)


def parse_plan(event: Any) -> Plan:
    """Parse an event as a plan.

    Raises:
        InvalidSchedule: a field is missing or invalid.
    """
    try:
        return Plan.model_validate(event)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "event"
        problem = first["msg"].removeprefix("Value error, ")
        raise InvalidSchedule(f"{field}: {problem}") from None
