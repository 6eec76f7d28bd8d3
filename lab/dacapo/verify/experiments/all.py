"""All experiments, in the order in which they are reported."""

from __future__ import annotations

from dacapo.verify.experiments import cold, interruptions, nondeterminism
from dacapo.verify.experiments.reference import REFERENCE_RUN, Experiment

EXPERIMENTS: tuple[Experiment, ...] = (
    REFERENCE_RUN,
    interruptions.SINGLE_INVOCATION,
    interruptions.SUSPENDED,
    interruptions.CRASHED,
    nondeterminism.REPLAYED,
    interruptions.INTERLEAVINGS,
    cold.COLD,
)
