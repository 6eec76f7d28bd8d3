"""`dacapo verify TARGET`: does the handler survive replay?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import click

from dacapo.cli import exit_status, output
from dacapo.cli.options import (
    Mistake,
    carefully,
    fails_on,
    parse_length,
    progress_bar,
    takes_page,
    takes_scenario,
)
from dacapo.cli.pages import write_page
from dacapo.cli.run import error_as_json
from dacapo.errors import HandlerStuck
from dacapo.history import endings
from dacapo.history.points import DEFAULT_POINTS
from dacapo.report import findings
from dacapo.report.outcome import of_report
from dacapo.scenario import Scenario
from dacapo.verify import verifier
from dacapo.verify.endings import never_ended
from dacapo.verify.experiments.reference import DEFAULT_CRASHES, DEFAULT_INTERLEAVINGS
from dacapo.verify.findings import (
    ExperimentName,
    ExperimentResult,
    Finding,
    OutageOutcome,
    Report,
    Suppressed,
)
from dacapo.verify.rules import explain_command, rules


@click.command(epilog=exit_status.TABLE)
@partial(takes_scenario, formats=tuple(output.REPORTS))
@fails_on
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
@click.option(
    "--outages",
    is_flag=True,
    help="Let each AWS service that is called be out for 1 and for 30 minutes, from each operation "
    "on.",
)
@click.option(
    "--outage-lasts",
    "lengths",
    metavar="LENGTH",
    multiple=True,
    help="Let services be out for this long (90s, 30m, 5h), instead; implies --outages.",
)
@takes_page("Write the page of `dacapo show`, with each finding at its line.")
@click.option(
    "--full", is_flag=True, help="Crash, replay and begin outages at every point, not at a sample."
)
def verify(  # noqa: PLR0917 - click gives them by name
    target: str,
    scenario: Scenario,
    result: IO[str],
    seed: int,
    form: output.Forms,
    fails_on_lint: bool,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    interleavings: int,
    crashes: int,
    outages: bool,
    lengths: tuple[str, ...],
    page_file: Path | None,
    full: bool,
) -> None:
    """Prove that TARGET survives replay, or show where it does not."""
    chosen = _chosen(only, skip)
    lasts = [parse_length(length, "--outage-lasts") for length in lengths]
    options = {
        "seed": seed,
        "interleavings": interleavings,
        "crashes": None if full else crashes,
        "points": None if full else DEFAULT_POINTS,
        "only": chosen,
        "outages": lasts or outages,
        "processes": 2,
        "target": target,
    }
    report = carefully(lambda: _verified(scenario, options))
    status = exit_status.of_report(report, fails_on_lint=fails_on_lint)
    if page_file is not None:
        carefully(lambda: write_page(scenario, seed, page_file, report.findings))
    output.write(
        result,
        form,
        {"target": target, **as_json(report), "exit_status": status.value},
        lambda console: findings.show(report, console),
        lambda: of_report(target, report, status),
    )
    sys.exit(status)


def _verified(scenario: Scenario, options: dict[str, Any]) -> Report:
    with progress_bar(len(options["only"])) as progress:
        try:
            return verifier.verify(scenario, progress=progress, **options)
        except HandlerStuck as error:
            expected = endings.name_of(scenario.expects)
            name = scenario.name or scenario.function
            return Report(name, ending=never_ended(str(error)), expected=expected)


def as_json(report: Report) -> dict[str, Any]:
    """Return what `--format json` prints of a report."""
    return {
        "scenario": report.scenario,
        "status": report.ending.status,
        "expected": report.expected,
        "error": error_as_json(report.ending),
        "verdict": report.verdict,
        "reasons": report.reasons,
        "control": report.control,
        "experiments": {name: _experiment(one) for name, one in report.experiments.items()},
        "findings": [finding_as_json(finding) for finding in report.findings],
        "suppressed": suppressed_as_json(report.suppressed),
        "unused_suppressions": report.unused_suppressions,
        "mistakes": report.mistakes,
    }


def _experiment(result: ExperimentResult) -> dict[str, Any]:
    return {
        "state": result.state,
        "reason": result.reason or None,
        "runs": result.runs,
        "sampled": result.sampled or None,
        "seconds": round(result.seconds, 3),
        "not_compared": dict(result.skipped),
        "outages": [_outage(outcome) for outcome in result.outages],
    }


def _outage(outcome: OutageOutcome) -> dict[str, Any]:
    return {
        "service": outcome.service,
        "seconds": outcome.lasts.total_seconds(),
        "kind": outcome.kind,
        "operation": outcome.operation,
        "result": outcome.result,
        "failed_calls": outcome.failed,
        "delay": None if outcome.delay is None else outcome.delay.total_seconds(),
        "ending": outcome.ending and str(outcome.ending),
        "broken": outcome.broken or None,
    }


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON values."""
    rule = rules()[finding.code]
    return {
        "code": finding.code.value,
        "kind": finding.certainty,
        "message": finding.message,
        "experiment": finding.experiment,
        **output.file_and_line(finding.place),
        "rule": rule.rule,
        "fix": rule.fix,
        "more": explain_command(finding.code),
        "recorded": list(finding.recorded),
        "replayed": list(finding.replayed),
        "also": [finding_as_json(other) for other in finding.also],
    }


def suppressed_as_json(suppressed: Sequence[Suppressed]) -> list[dict[str, Any]]:
    """Return findings that the user accepts as JSON values."""
    return [{**finding_as_json(one.finding), "reason": one.reason} for one in suppressed]


def _chosen(only: tuple[str, ...], skip: tuple[str, ...]) -> list[str]:
    names = [name.value for name in ExperimentName]
    for name in (*only, *skip):
        if name not in names:
            known = ", ".join(map(repr, names))
            raise Mistake(f"there is no experiment {name!r}; there are: {known}")
    return [name for name in only or verifier.ALL if name not in skip]
