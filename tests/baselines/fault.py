"""A fault, and its effect on two systems that do the same job: the baseline and the durable one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One line of a table in docs/baselines.md.

    Parameters:
        description: the fault, in words.
        baseline: injects it into the baseline; returns what was lost or duplicated, counted at the
            receiver.
        durable: does the same with the durable function.
    """

    description: str
    baseline: Callable[[], str]
    durable: Callable[[], str]

    def line(self) -> tuple[str, str, str]:
        """Run both systems and return the cells of the line."""
        return self.description, self.baseline(), self.durable()
