"""What the experiments on a scenario came to."""

from __future__ import annotations

from dataclasses import dataclass, field

from dacapo.verify.findings import Finding, proved


@dataclass
class Experiment:
    """What was done for one experiment.

    Parameters:
        runs: how often the handler was run, or replayed.
        seconds: real time.
        not_run: why it was not run; "" if it was.
    """

    runs: int = 0
    seconds: float = 0.0
    not_run: str = ""


@dataclass
class Report:
    """What the experiments found.

    Parameters:
        findings: each thing that is wrong once, what is proved first.
    """

    scenario: str
    experiments: dict[str, Experiment] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def proved(self) -> list[Finding]:
        """The findings that a run showed."""
        return proved(self.findings)
