"""`dacapo verify TARGET`: does the handler survive replay?"""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from rich.console import Console

from dacapo.cli.options import FAILED, Mistake, carefully, progress_bar, takes_scenario
from dacapo.history.points import DEFAULT_POINTS
from dacapo.report import findings
from dacapo.scenario import Scenario
from dacapo.verify import verifier
from dacapo.verify.experiments.reference import DEFAULT_CRASHES, DEFAULT_INTERLEAVINGS
from dacapo.verify.findings import ExperimentName, Finding, Report
from dacapo.verify.rules import explain_command, rules


@click.command()
@takes_scenario
@click.option("--only", multiple=True, metavar="EXPERIMENT", help="Run only this experiment.")
@click.option("--skip", multiple=True, metavar="EXPERIMENT", help="Skip this experiment.")
@click.option(
    "--interleavings",
    type=click.IntRange(min=1),
    default=DEFAULT_INTERLEAVINGS,
    show_default=True,
    help="How many other orders of branches to try.",
)
@click.option(
    "--crashes",
    type=click.IntRange(min=2),
    default=DEFAULT_CRASHES,
    show_default=True,
    help="How many points to crash at, evenly spaced.",
)
@click.option("--full", is_flag=True, help="Crash at every point, replay from every point.")
def verify(  # noqa: PLR0917 - click gives them by name
    target: str,
    scenario: Scenario,
    seed: int,
    form: str,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    interleavings: int,
    crashes: int,
    full: bool,
) -> None:
    """Prove that TARGET survives replay, or show where it does not.

    Exit status: 0 if nothing was proved, 1 if something was, 2 for a mistake in the call, 3 if the
    handler had to be stopped, so that nothing is known.
    """
    chosen = _chosen(only, skip)
    with progress_bar(len(chosen)) as progress:
        report = carefully(
            lambda: verifier.verify(
                scenario,
                seed=seed,
                interleavings=interleavings,
                crashes=None if full else crashes,
                points=None if full else DEFAULT_POINTS,
                only=chosen,
                processes=2,
                progress=progress,
            )
        )
    if form == "json":
        click.echo(json.dumps(as_json(target, report), indent=1))
    else:
        findings.show(report, Console())
    sys.exit(FAILED if report.proved else 0)


def as_json(target: str, report: Report) -> dict[str, Any]:
    """Return what `--format json` prints of a report."""
    return {
        "target": target,
        "experiments": {
            name: {
                "runs": experiment.runs,
                "seconds": round(experiment.seconds, 3),
                "not_run": experiment.not_run or None,
                "not_compared": dict(experiment.skipped),
            }
            for name, experiment in report.experiments.items()
        },
        "findings": [finding_as_json(finding) for finding in report.findings],
    }


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON values."""
    rule = rules()[finding.code]
    return {
        "code": finding.code.value,
        "certainty": finding.certainty,
        "message": finding.message,
        "experiment": finding.experiment,
        "file": finding.place and finding.place.file,
        "line": finding.place and finding.place.line,
        "rule": rule.rule,
        "fix": rule.fix,
        "more": explain_command(finding.code),
        "recorded": list(finding.recorded),
        "replayed": list(finding.replayed),
        "also": [finding_as_json(other) for other in finding.also],
    }


def _chosen(only: tuple[str, ...], skip: tuple[str, ...]) -> list[str]:
    names = [name.value for name in ExperimentName]
    for name in (*only, *skip):
        if name not in names:
            known = ", ".join(map(repr, names))
            raise Mistake(f"there is no experiment {name!r}; there are: {known}")
    return [name for name in only or names if name not in skip]
