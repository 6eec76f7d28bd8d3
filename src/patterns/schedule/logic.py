"""Compute when work is due. Nothing else.

The rule: every 20 minutes on working days and every hour on days off, by the local clock of a
place. The local date of the moment itself decides: Saturday's first moment is midnight.

Moments are in UTC and searched minute by minute in real time. So an hour that the clocks skip has
no moments, and an hour that they repeat has them twice. That is intended: the work is about elapsed
time, not about what a clock shows.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypedDict

from patterns.schedule.calendars import Calendar

WORKING_DAY_MINUTES = frozenset({0, 20, 40})
DAY_OFF_MINUTES = frozenset({0})
MIN_WAIT_SECONDS = 1
_MINUTE = timedelta(minutes=1)


class Due(TypedDict):
    """The next round.

    Parameters:
        at: the moment when it is due, ISO 8601 in UTC.
        seconds: seconds to wait until then.
        missed: number of moments since the last round that have passed without one.
    """

    at: str
    seconds: int
    missed: int


def is_due(moment: datetime, calendar: Calendar) -> bool:
    """Return True if work is due in this minute."""
    local = moment.astimezone(calendar.zone)
    is_day_off = calendar.is_day_off(local.date())
    return local.minute in (DAY_OFF_MINUTES if is_day_off else WORKING_DAY_MINUTES)


def next_due(after: datetime, calendar: Calendar) -> datetime:
    """Return the first moment later than `after` when work is due.

    It is at most 90 minutes later: where daylight saving time shifts clocks by half an hour, that
    hour is longer.

    Parameters:
        after: a moment with a time zone.
    """
    minute = after.astimezone(UTC).replace(second=0, microsecond=0)
    # This terminates: minute 0 occurs regardless of clock changes.
    later = (minute + number * _MINUTE for number in count(1))
    return next(moment for moment in later if is_due(moment, calendar))


def decide(
    now: datetime, calendar: Calendar, *, last: datetime | None, until: datetime | None
) -> Due:
    """Decide when the next round is: at the next moment. Missed moments aren't made up for.

    Parameters:
        last: the moment of the last round, or None before the first round.
        until: the end of the schedule; later moments don't count as missed. None means no end.
    """
    at = next_due(now, calendar)
    seconds = math.ceil((at - now).total_seconds())
    end = now if until is None else min(now, until)
    return {
        "at": at.isoformat(),
        "seconds": max(MIN_WAIT_SECONDS, seconds),
        "missed": 0 if last is None else _count(last, end, calendar),
    }


def _count(after: datetime, up_to: datetime, calendar: Calendar) -> int:
    number, moment = 0, next_due(after, calendar)
    while moment <= up_to:
        number, moment = number + 1, next_due(moment, calendar)
    return number
