"""The experiments of tests whose subject is not the state of a process."""

from __future__ import annotations

from dacapo.verify.findings import ExperimentName

QUICK = tuple(name for name in ExperimentName if name is not ExperimentName.COLD)
"""All experiments but *cold*, which starts interpreters. As one is left out, no verdict is
`survives`: compare findings."""
