"""The `durable` fixture: runs scenarios in a test, on the selected engine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from dacapo.errors import UnsupportedByEngine
from dacapo.history.points import DEFAULT_POINTS
from dacapo.history.recording import Recording
from dacapo.scenario import Scenario
from dacapo.service.functions import Handler
from dacapo.simulation.runner import DEFAULT_SEED, run
from dacapo.verify.deploy_check.checker import check
from dacapo.verify.deploy_check.results import CheckResult, Group, grouped, said
from dacapo.verify.experiments.reference import DEFAULT_CRASHES, DEFAULT_INTERLEAVINGS
from dacapo.verify.findings import Certainty, Report, Verdict
from dacapo.verify.verifier import ALL, verify


@dataclass(frozen=True)
class Ran:
    """A scenario that a test ran, and its recording; None for one that was verified."""

    scenario: Scenario
    seed: int
    recording: Recording | None = None


class Durable:
    """Runs scenarios in a test.

    Parameters:
        engine: `sim`, the simulated service in virtual time, or `sdk`, AWS's own local runner.
    """

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.ran: list[Ran] = []

    def run(self, scenario: Scenario, *, seed: int = DEFAULT_SEED) -> Recording:
        """Run a scenario; skip the test if the engine does not support it.

        Parameters:
            scenario: the scenario.
            seed: on `sim`, one seed gives one history; `sdk` has no seed.

        Returns:
            The recording of the execution, whether it succeeded or not.

        Raises:
            ScenarioError, NetworkRefused: see `dacapo.run`.
        """
        if self.engine == "sim":
            recording = run(scenario, seed=seed)
            self.ran.append(Ran(scenario, seed, recording))
            return recording
        from dacapo.official import runner  # noqa: PLC0415 - only this needs the testing SDK

        try:
            return runner.run(scenario)
        except UnsupportedByEngine as error:
            import pytest  # noqa: PLC0415 - this class is imported without pytest, too

            pytest.skip(f"the official runner can't run this scenario: {error}")

    def verify(
        self,
        scenario: Scenario,
        *,
        seed: int = DEFAULT_SEED,
        interleavings: int = DEFAULT_INTERLEAVINGS,
        crashes: int | None = DEFAULT_CRASHES,
        points: int | None = DEFAULT_POINTS,
        only: Collection[str] = ALL,
        outages: bool | Sequence[timedelta] = False,
    ) -> Report:
        """Prove that a scenario's handler survives replay; fail the test if it does not.

        The test also fails if the run does not end as the scenario expects. An experiment that was
        left out does not fail it: `report.verdict == "survives"` says that none was.

        Verification always uses the simulated service: no other engine can suspend or crash a
        handler at a given point.

        Parameters:
            scenario: the scenario.
            seed, interleavings, crashes, points, only, outages: as for `dacapo.verify`.
        """
        self.ran.append(Ran(scenario, seed))
        report = verify(
            scenario,
            seed=seed,
            interleavings=interleavings,
            crashes=crashes,
            points=points,
            only=only,
            outages=outages,
        )
        problems = [f"{f.code} at {f.place}: {f.message}" for f in report.proved]
        if report.control or not report.ending.is_expected:
            problems[:0] = report.reasons
        if problems:
            import pytest  # noqa: PLC0415

            pytest.fail("\n".join(problems), pytrace=False)
        return report

    def check(
        self,
        recordings: Recording | Path | str | Iterable[Recording | Path | str],
        handler: Handler,
        *,
        points: int | None = DEFAULT_POINTS,
    ) -> list[CheckResult]:
        """Prove that executions in flight survive a handler; fail the test if one does not.

        The test also fails if a history could not be replayed to its end: nothing is known then.

        Parameters:
            recordings: one or several, as for `dacapo.check`: recordings, files, or directories.
            handler: today's durable handler.
            points: as for `dacapo.check`.

        Raises:
            HistoryError: a file holds no history that can be replayed.
        """
        results = check(handler, recordings, points=points)
        doubtful = [result for result in results if result.verdict is not Verdict.SURVIVES]
        if doubtful:
            import pytest  # noqa: PLC0415

            causes = [_cause(group) for group in grouped(doubtful)]
            pytest.fail("\n".join(cause for cause in causes if cause), pytrace=False)
        return results


def _cause(group: Group) -> str:
    finding, names = group.finding, ", ".join(group.names[:_SHOWN])
    if finding is None:
        return f"{group.failure or group.reason} (in {group.count}: {names})"
    if finding.certainty is not Certainty.PROVED:
        return ""
    said_of = f"{finding.code} at {finding.place}: {said(finding.message)}"
    return f"{said_of} (in {group.count}: {names})"


_SHOWN = 3
"""Histories that a failure names."""
