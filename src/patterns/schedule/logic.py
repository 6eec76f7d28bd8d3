"""When work is due. Nothing else.

The rule: every 20 minutes on working days, every hour on days off, by the clocks of a place. What
counts is the local date of the moment itself: Saturday's first moment is midnight.

Moments are in UTC, and are looked for minute by minute in the order in which they really pass. So
an hour that the clocks skip has no moments, and one that they repeat has them twice, as it should
be: the work is about time that passes, not about what a clock shows.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypedDict

from patterns.schedule.calendars import Calendar

WORKING_DAY_MINUTES = frozenset({0, 20, 40})
DAY_OFF_MINUTES = frozenset({0})
SHORTEST_WAIT_SECONDS = 1
_MINUTE = timedelta(minutes=1)


class Due(TypedDict):
    """What a round is for.

    Parameters:
        at: the moment, ISO 8601 in UTC.
        seconds: how long to wait for it.
        missed: how many moments have passed since the last round without one.
    """

    at: str
    seconds: int
    missed: int


def is_due(moment: datetime, calendar: Calendar) -> bool:
    """Whether work is due in this minute."""
    local = moment.astimezone(calendar.zone)
    is_day_off = calendar.is_day_off(local.date())
    return local.minute in (DAY_OFF_MINUTES if is_day_off else WORKING_DAY_MINUTES)


def next_due(after: datetime, calendar: Calendar) -> datetime:
    """The first moment at which work is due, later than `after`.

    At most 90 minutes later: where clocks are put on or back by half an hour, that hour is longer.

    Parameters:
        after: aware of its time zone.
    """
    minute = after.astimezone(UTC).replace(second=0, microsecond=0)
    # It ends: minute 0 comes, whatever the clocks do.
    later = (minute + number * _MINUTE for number in count(1))
    return next(moment for moment in later if is_due(moment, calendar))


def decide(
    now: datetime, calendar: Calendar, *, last: datetime | None, until: datetime | None
) -> Due:
    """What the next round is for: the next moment. Those that have passed are not made up for.

    Parameters:
        last: the moment of the last round; None if there was none.
        until: moments after this one are none; None for no end.
    """
    at = next_due(now, calendar)
    seconds = math.ceil((at - now).total_seconds())
    end = now if until is None else min(now, until)
    return {
        "at": at.isoformat(),
        "seconds": max(SHORTEST_WAIT_SECONDS, seconds),
        "missed": 0 if last is None else _count(last, end, calendar),
    }


def _count(after: datetime, up_to: datetime, calendar: Calendar) -> int:
    number, moment = 0, next_due(after, calendar)
    while moment <= up_to:
        number, moment = number + 1, next_due(moment, calendar)
    return number
