"""Define working days per place: a time zone, weekends, and a list of holidays.

The list is a file deployed with the code (`calendars.json`). It changes once a year, it is reviewed
like code, reading it can't fail at night, and an execution keeps the calendar that it started with.
Like new code, a new calendar reaches a running schedule at its next hand-over: after two working
days, or six days off, at the latest. If your holidays change at shorter notice, read them from a
table in the step that decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

SATURDAY = 5
_FILE = Path(__file__).with_name("calendars.json")


@dataclass(frozen=True)
class Calendar:
    """The calendar of a place.

    Parameters:
        zone: the time zone.
        holidays: days off in addition to weekends, for several years.
    """

    zone: ZoneInfo
    holidays: frozenset[date]

    def is_day_off(self, day: date) -> bool:
        """Return True if the day is a weekend day or a holiday."""
        return day.weekday() >= SATURDAY or day in self.holidays

    def covers(self, day: date) -> bool:
        """Return True if the list reaches the year of the day; later holidays count as workdays.

        A list without holidays covers nothing.
        """
        return any(holiday.year >= day.year for holiday in self.holidays)


def _read() -> dict[str, Calendar]:
    entries = json.loads(_FILE.read_text())
    return {
        place: Calendar(
            ZoneInfo(entry["zone"]), frozenset(map(date.fromisoformat, entry["holidays"]))
        )
        for place, entry in entries.items()
    }


CALENDARS: Mapping[str, Calendar] = _read()
"""Calendars by place, read on import, so that an invalid file fails at deployment."""
