"""Measuring: both sides in turn, on one machine, within one run; medians and ratios."""

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
    """Medians of what the lab takes and what the other side takes, in seconds."""

    ours: float
    theirs: float

    @property
    def speed(self) -> float:
        """How many times as fast the lab is."""
        return self.theirs / self.ours


def side_by_side(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> Measured:
    """Time both sides, one after the other in each round.

    Parameters:
        rounds: how often; with one, both are timed once.
    """
    taken = [(seconds_of(ours), seconds_of(theirs)) for _ in range(rounds)]
    return Measured(median(our for our, _ in taken), median(their for _, their in taken))


def seconds_of(action: Callable[[], object]) -> float:
    """Real seconds that an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def peak_memory_mb(module: str) -> float:
    """Peak memory of a fresh process that runs `module`, in MB (resident, as the system counts).

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    ran = subprocess.run([sys.executable, "-m", module], check=True, capture_output=True, text=True)
    return float(ran.stdout)


def own_peak_memory_mb() -> float:
    """Peak memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KB, macOS in bytes.
    return peak / (KB_PER_MB**2 if sys.platform == "darwin" else KB_PER_MB)
