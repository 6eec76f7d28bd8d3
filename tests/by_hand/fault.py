"""A fault, and what becomes of the same job under it: made by hand, and durable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One line of a table in docs/by-hand.md.

    Parameters:
        what: what goes wrong, in words.
        by_hand: makes it go wrong for the hand-made system; tells what was lost or doubled, as it
            was counted where it arrived.
        durable: the same for the durable function.
    """

    what: str
    by_hand: Callable[[], str]
    durable: Callable[[], str]

    def line(self) -> tuple[str, str, str]:
        """Run both."""
        return self.what, self.by_hand(), self.durable()
