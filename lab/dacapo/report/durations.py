"""Durations in words and on an axis."""

from __future__ import annotations

from datetime import timedelta

_UNITS = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "m"), (60, "m", 1, "s"))
_STEPS = (
    *(timedelta(milliseconds=n) for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(timedelta(seconds=n) for n in (1, 2, 5, 10, 15, 30)),
    *(timedelta(minutes=n) for n in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=n) for n in (1, 2, 3, 6, 12)),
    *(timedelta(days=n) for n in (1, 2, 5, 10, 30, 60, 90, 180, 366)),
)


def spell(length: timedelta) -> str:
    """Spell a duration in its two largest units: `6h 02m`, `3d 00h`, `45s`."""
    seconds = round(length.total_seconds())
    for size, unit, smaller_size, smaller_unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit} {seconds % size // smaller_size:02}{smaller_unit}"
    return f"{seconds}s"


def spell_short(length: timedelta) -> str:
    """Spell a duration in one unit if it is a round number of them: `6h`, otherwise `1m 30s`.

    One below a second is in milliseconds.
    """
    if timedelta(0) < length < timedelta(seconds=1):
        return f"{max(1, round(length / timedelta(milliseconds=1)))}ms"
    if length < timedelta(seconds=10) and length % timedelta(seconds=1):
        return f"{length.total_seconds():.3g}s"
    return spell(length).removesuffix(" 00h").removesuffix(" 00m").removesuffix(" 00s")


def ticks(length: timedelta, most: int) -> list[timedelta]:
    """Return round times from 0 to `length` for an axis.

    Parameters:
        length: length of the axis.
        most: maximum number of ticks, at least 2.
    """
    step = next((s for s in _STEPS if length / s <= most - 1), _STEPS[-1])
    return [step * n for n in range(int(length / step) + 1)][:most]
