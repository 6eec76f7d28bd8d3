"""`dacapo check RECORDING… TARGET`: do executions in flight survive this code?"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
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
    takes_page,
)
from dacapo.cli.pages import write_page_of_check
from dacapo.cli.run import error_as_json
from dacapo.cli.verify import finding_as_json, suppressed_as_json
from dacapo.history.points import DEFAULT_POINTS
from dacapo.report import checks
from dacapo.report.outcome import of_checks
from dacapo.sdk.installed import VERSION
from dacapo.verify.configuration import load
from dacapo.verify.deploy_check.advice import advice
from dacapo.verify.deploy_check.checker import check_jobs
from dacapo.verify.deploy_check.results import CheckResult, Group, grouped, summed, worst


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
@takes_page("Write the page of `dacapo show` for the first history that breaks, or the first one.")
@click.option(
    "--without-payloads", "is_bare", is_flag=True, help="Leave every payload out of that page."
)
@fails_on
@takes_output
def check(  # noqa: PLR0917 - click gives them by name
    arguments: tuple[str, ...],
    env: Path | None,
    template: str,
    full: bool,
    page_file: Path | None,
    is_bare: bool,
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
        carefully(lambda: write_page_of_check(jobs.jobs, results, page_file, is_bare=is_bare))
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
