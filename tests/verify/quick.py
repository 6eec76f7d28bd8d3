"""The experiments of tests whose subject is neither the state of a process nor an outage."""

from __future__ import annotations

from dacapo.verify.findings import ExperimentName
from dacapo.verify.verifier import ALL

QUICK = tuple(name for name in ALL if name is not ExperimentName.COLD)
"""All that are made by default but *cold*, which starts interpreters. As it is left out, no
verdict is `survives`: compare findings."""
