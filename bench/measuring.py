"""Measurements of two sides in turn, on one machine and in one run: medians and ratios."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

KB_PER_MB = 1024


@dataclass(frozen=True)
class Measured:
    """Median times of the lab and of the other side, in seconds."""

    ours: float
    theirs: float

    @property
    def speed(self) -> float:
        """The speed of the lab as a multiple of the other side's."""
        return self.theirs / self.ours


def side_by_side(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> Measured:
    """Time both sides, one after the other in each round.

    Parameters:
        rounds: number of times that each side is timed.
    """
    taken = [(seconds_of(ours), seconds_of(theirs)) for _ in range(rounds)]
    return Measured(median(our for our, _ in taken), median(their for _, their in taken))


def seconds_of(action: Callable[[], object]) -> float:
    """Return the real time that an action takes, in seconds."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def peak_memory_mb(module: str, *arguments: str) -> float:
    """Run `module` in a fresh process and return the peak memory that it prints, in MB.

    Raises:
        subprocess.CalledProcessError: the process failed.
    """
    completed = subprocess.run(
        [sys.executable, "-m", module, *arguments], check=True, capture_output=True, text=True
    )
    return float(completed.stdout)


def own_peak_memory_mb() -> float:
    """Return the peak resident memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KB, macOS in bytes.
    return peak / (KB_PER_MB**2 if sys.platform == "darwin" else KB_PER_MB)
