"""`dacapo check RECORDING… TARGET`: do executions in flight survive this code?"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from dacapo.cli import exit_status, output
from dacapo.cli.jobs import EnvironmentOptions, jobs_of
from dacapo.cli.options import (
    Mistake,
    carefully,
    fails_on,
    log_to_stderr,
    progress_bar,
    takes_output,
)
from dacapo.cli.run import error_as_json
from dacapo.cli.show import bare, check_folder
from dacapo.cli.verify import finding_as_json, suppressed_as_json
from dacapo.errors import NetworkRefused
from dacapo.history import reading
from dacapo.history.points import DEFAULT_POINTS
from dacapo.report import checks
from dacapo.report.outcome import of_checks
from dacapo.report.page.build import execution_of, page_from, with_findings
from dacapo.report.page.html import html_of
from dacapo.report.page.model import Execution, Page
from dacapo.report.page.passes import Watched, replayed
from dacapo.sdk.installed import VERSION
from dacapo.verify.configuration import load
from dacapo.verify.deploy_check.advice import advice
from dacapo.verify.deploy_check.checker import Job, check_jobs
from dacapo.verify.deploy_check.results import CheckResult, Group, grouped, summed, worst
from dacapo.verify.workers.pool import Beat, Stopped, run_each


@click.command(epilog=exit_status.TABLE)
@click.argument("arguments", nargs=-1, metavar="[RECORDING…] [TARGET]")
@click.option(
    "--env",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Set the handler's environment variables: a line NAME=VALUE for each.",
)
@click.option(
    "--template",
    metavar="FILE[:FUNCTION]",
    default="",
    help="Set those that a SAM or CloudFormation template declares for a function, by its logical "
    "ID or name. By default, the one whose code is TARGET.",
)
@click.option(
    "--full",
    is_flag=True,
    help="Replay from every point, however many there are; also executions in flight, which "
    "otherwise are replayed from where they are.",
)
@click.option(
    "--html",
    "page_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write the page of `dacapo show`, with findings, of the first history that breaks, or of "
    "the first one.",
)
@click.option("--without-payloads", is_flag=True, help="Leave every payload out of that page.")
@fails_on
@takes_output
def check(  # noqa: PLR0917 - click gives them by name
    arguments: tuple[str, ...],
    env: Path | None,
    template: str,
    full: bool,
    page_file: Path | None,
    without_payloads: bool,
    fails_on_lint: bool,
    form: output.Forms,
    verbose: bool,
) -> None:
    """Replay histories in today's code, TARGET: do executions in flight survive it?

    A RECORDING is a file, or a directory of files, that `dacapo history` or `dacapo run --save`
    wrote, or the output of aws lambda get-durable-execution-history --include-execution-data.

    TARGET is MODULE:HANDLER, FILE.py:HANDLER, or a function in pyproject.toml
    ([tool.dacapo.functions.NAME]). Without it, each history is replayed in the function that it
    belongs to, there or in the template; without histories, each function has its own in
    histories/NAME.
    """
    check_folder(page_file)
    result = output.reserve()
    log_to_stderr(verbose=verbose)
    configuration = carefully(lambda: load(Path.cwd()))
    jobs = carefully(lambda: jobs_of(arguments, configuration, EnvironmentOptions(env, template)))
    points = None if full else DEFAULT_POINTS
    with progress_bar(len(jobs.jobs)) as progress:
        results = carefully(lambda: check_jobs(jobs.jobs, points=points, progress=progress))
    if all(one.damage for one in results):
        raise Mistake(results[0].damage + _others(len(results) - 1))
    if page_file is not None:
        page = carefully(lambda: page_of(jobs.jobs, results))
        intro = page_intro(results)
        page_file.write_text(
            html_of(bare(page) if without_payloads else page, intro=intro), "utf-8"
        )
    handlers = {name: one.target for name, one in configuration.functions.items()}
    status = exit_status.of_checks(results, fails_on_lint=fails_on_lint)
    output.write(
        result,
        form,
        {**as_json(results, jobs.notes), "exit_status": status.value},
        lambda console: checks.show(results, jobs.notes, machine(), console),
        lambda: of_checks(results, status, handlers),
    )
    sys.exit(status)


def page_of(jobs: Sequence[Job], results: Sequence[CheckResult]) -> Page:
    """Return the page of the history that matters most, replayed in the handler of its job.

    Parameters:
        jobs: what was checked.
        results: what that showed, in the same order.
    """
    shown = _shown(results)
    sources = [(job, source) for job in jobs for source in job.sources]
    job, source = sources[results.index(shown)]
    path = Path(source.name)
    [outcome] = run_each([partial(_replayed, job, path)])
    execution = _only_read(path) if isinstance(outcome, Stopped) else outcome
    ways = {one.finding.code: advice(one) for one in grouped([shown]) if one.finding}
    marked = with_findings(execution, shown.findings, ways)
    return page_from([marked], f"{path.name} in {job.target}")


def _replayed(job: Job, path: Path, beat: Beat) -> Execution:
    scenario, read = job.prepared(), reading.read(path)
    beat()
    try:
        return execution_of(replayed(read.recording, scenario), read.origin)
    except NetworkRefused:  # the check has said so
        return _only_read(path)


def _only_read(path: Path) -> Execution:
    read = reading.read(path)
    return execution_of(Watched(read.recording), read.origin)


def _shown(results: Sequence[CheckResult]) -> CheckResult:
    readable = [one for one in results if not one.damage]
    return next(one for one in readable if one.verdict is worst(readable))


def page_intro(results: Sequence[CheckResult]) -> str:
    """Return which of the histories the page shows, and what all of them together show."""
    shown = _shown(results)
    of_target = [one for one in results if one.target == shown.target]
    return f"{checks.conclusion(shown.target, of_target)}. This page shows {shown.name}."


def machine() -> dict[str, str]:
    """Return what the histories were replayed with."""
    return {"sdk": VERSION, "python": platform.python_version()}


def as_json(results: Sequence[CheckResult], notes: Sequence[str] = ()) -> dict[str, Any]:
    """Return what `--format json` prints."""
    targets = list(dict.fromkeys(result.target for result in results))
    return {
        **machine(),
        "target": targets[0] if len(targets) == 1 else None,
        "targets": targets,
        "verdict": worst(results),
        "counts": summed(results),
        "groups": [_group(group) for group in grouped(results)],
        "recordings": [_result(result) for result in results],
        "notes": list(notes),
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "target": group.target,
        "count": group.count,
        "verdicts": group.verdicts,
        "versions": list(group.versions),
        "finding": group.finding and finding_as_json(group.finding),
        "error": group.failure and error_as_json(group.failure),
        "reason": group.reason or None,
        "advice": advice(group),
        "files": [output.relative(name) for name in group.names],
    }


def _result(result: CheckResult) -> dict[str, Any]:
    return {
        "file": output.relative(result.name),
        "target": result.target,
        "verdict": result.verdict,
        "version": result.version or None,
        "running": result.is_running,
        "error": result.failure and error_as_json(result.failure),
        "not_run": result.not_run or None,
        "damage": result.damage or None,
        "points": result.points,
        "sampled": result.sampled or None,
        "findings": [finding_as_json(finding) for finding in result.findings],
        "suppressed": suppressed_as_json(result.suppressed),
    }


def _others(count: int) -> str:
    return f" (and {count} more files can't be checked)" if count else ""
