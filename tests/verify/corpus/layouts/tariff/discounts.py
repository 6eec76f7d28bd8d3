"""Draws discounts."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Offer:
    text: str
    percent: int

    def as_list(self) -> list[object]:
        return [self.text, self.percent]


def offer_for(usage: int) -> Offer:
    """Return an offer with a discount of 5 to 40 percent."""
    percent = random.randint(5, 40)  # <- cause of tariff
    return Offer(f"{usage} units, {percent} % off", percent)
