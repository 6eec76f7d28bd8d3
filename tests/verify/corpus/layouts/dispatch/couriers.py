"""Knows the couriers."""

from __future__ import annotations

LIMITS = {"north": 20, "south": 30, "express": 10, "bike": 5, "harbor": 90, "night": 40}


def eligible(kilograms: int) -> set[str]:
    """Return the couriers who carry this much."""
    return {courier for courier, limit in LIMITS.items() if limit >= kilograms}
