"""The pages that `run`, `verify`, and `check` write beside what they print."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from dacapo.errors import NetworkRefused
from dacapo.history import reading
from dacapo.report import checks
from dacapo.report.page.build import execution_of, page_from, with_findings
from dacapo.report.page.html import html_of
from dacapo.report.page.model import Execution, without_payloads
from dacapo.report.page.passes import Watched, replayed, watch
from dacapo.scenario import Scenario
from dacapo.verify.deploy_check.advice import advice
from dacapo.verify.deploy_check.checker import Job
from dacapo.verify.deploy_check.results import CheckResult, grouped, worst
from dacapo.verify.findings import Finding
from dacapo.verify.workers.pool import Beat, Stopped, run_each


def write_page(
    scenario: Scenario, seed: int, page_file: Path, findings: Sequence[Finding] = ()
) -> None:
    """Run a scenario, and write its page.

    Parameters:
        findings: what to show at the lines of its handler.
    """
    page = page_from([with_findings(execution_of(watch(scenario, seed=seed)), findings)])
    page_file.write_text(html_of(page), encoding="utf-8")


def write_page_of_check(
    jobs: Sequence[Job], results: Sequence[CheckResult], page_file: Path, *, is_bare: bool
) -> None:
    """Write the page of the history that matters most, replayed in the handler of its job.

    Parameters:
        jobs: what was checked.
        results: what that showed, in the same order; at least one has no damage.
        is_bare: whether payloads are left out.
    """
    checked = [(job, Path(source.name)) for job in jobs for source in job.sources]
    readable = [
        (job, path, result)
        for (job, path), result in zip(checked, results, strict=True)
        if not result.damage
    ]
    verdict = worst([result for *_, result in readable])
    job, path, shown = next(one for one in readable if one[2].verdict is verdict)
    ways = {one.finding.code: advice(one) for one in grouped([shown]) if one.finding}
    execution = with_findings(_execution(job, path), shown.findings, ways)
    page = page_from([execution], f"{path.name} in {job.target}")
    of_target = [result for result in results if result.target == shown.target]
    intro = f"{checks.conclusion(shown.target, of_target)}. This page shows {path}."
    page_file.write_text(html_of(without_payloads(page) if is_bare else page, intro=intro), "utf-8")


def _execution(job: Job, path: Path) -> Execution:
    """Return a history with the lines of today's handler, unless they can't be had."""
    [outcome] = run_each([partial(_replayed, job, path)])
    if outcome is not None and not isinstance(outcome, Stopped):
        return outcome
    read = reading.read(path)
    return execution_of(Watched(read.recording), read.origin)


def _replayed(job: Job, path: Path, beat: Beat) -> Execution | None:
    scenario, read = job.prepared(), reading.read(path)
    beat()
    try:
        return execution_of(replayed(read.recording, scenario), read.origin)
    except NetworkRefused:  # the check has said so
        return None
