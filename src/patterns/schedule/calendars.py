"""Which days are worked on, place by place: a time zone, weekends, and the holidays of a list.

The list is a file that is deployed beside the code (`calendars.json`). It changes once a year, it
is reviewed like code, reading it can't fail at night, and an execution goes on with the calendar
that it was started with. A new one reaches a running schedule when it hands over, as new code does:
after two working days, or six days off, at the latest. If your holidays change at shorter notice
than that, read them from a table, in the step that decides.
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
    """The days of a place.

    Parameters:
        zone: what its clocks show.
        holidays: days off that are no weekend; some years of them.
    """

    zone: ZoneInfo
    holidays: frozenset[date]

    def is_day_off(self, day: date) -> bool:
        """Whether nobody works on that day."""
        return day.weekday() >= SATURDAY or day in self.holidays

    def covers(self, day: date) -> bool:
        """Whether the list goes as far as that day's year; later holidays are taken for workdays.

        A list without holidays covers nothing.
        """
        return any(holiday.year >= day.year for holiday in self.holidays)


def _read() -> dict[str, Calendar]:
    written = json.loads(_FILE.read_text())
    return {
        place: Calendar(
            ZoneInfo(entry["zone"]), frozenset(map(date.fromisoformat, entry["holidays"]))
        )
        for place, entry in written.items()
    }


CALENDARS: Mapping[str, Calendar] = _read()
"""By place. Read when the module is imported: one that can't be read fails where it is deployed."""
