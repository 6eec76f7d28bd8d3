"""`dacapo check RECORDING… TARGET`: do executions in flight survive this code?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from dacapo.cli import exit_status, output
from dacapo.cli.options import (
    Mistake,
    carefully,
    fails_on,
    log_to_stderr,
    progress_bar,
    takes_output,
)
from dacapo.cli.run import error_as_json
from dacapo.cli.verify import finding_as_json, suppressed_as_json
from dacapo.history.files import load as load_history
from dacapo.history.points import DEFAULT_POINTS
from dacapo.process.source_lines import of_function
from dacapo.report import findings
from dacapo.report.outcome import of_checks
from dacapo.scenario.target import load
from dacapo.verify.deploy_check import CheckResult, check_logs


@click.command(epilog=exit_status.TABLE)
@click.argument("recordings", nargs=-1, metavar="RECORDING… TARGET", required=True)
@click.option("--full", is_flag=True, help="Replay from every point, however many there are.")
@fails_on
@takes_output
def check(
    recordings: tuple[str, ...], full: bool, fails_on_lint: bool, form: output.Forms, verbose: bool
) -> None:
    """Replay histories in today's code, TARGET: do executions in flight survive it?

    A RECORDING is what `dacapo run --save` wrote, or the output of aws lambda
    get-durable-execution-history --include-execution-data.
    """
    *files, target = recordings
    if not files:
        raise Mistake("give a recording and a target: dacapo check RECORDING… MODULE:HANDLER")
    result = output.reserve()
    log_to_stderr(verbose=verbose)
    logs = carefully(lambda: {file: load_history(Path(file)) for file in files})
    handler = carefully(lambda: load(target)).handler
    most = None if full else DEFAULT_POINTS
    with progress_bar(len(logs)) as progress:
        results = carefully(lambda: check_logs(handler, logs, most, progress))
    status = exit_status.of_checks(results, fails_on_lint=fails_on_lint)
    output.write(
        result,
        form,
        {**as_json(target, results), "exit_status": status.value},
        lambda console: findings.show_checked(target, results, console),
        lambda: of_checks(target, results, status, of_function(handler)),
    )
    sys.exit(status)


def as_json(target: str, results: Sequence[CheckResult]) -> dict[str, Any]:
    """Return what `--format json` prints."""
    return {
        "target": target,
        "recordings": [
            {
                "file": output.relative(result.name),
                "verdict": result.verdict,
                "error": result.failure and error_as_json(result.failure),
                "not_run": result.not_run or None,
                "points": result.points,
                "findings": [finding_as_json(finding) for finding in result.findings],
                "suppressed": suppressed_as_json(result.suppressed),
            }
            for result in results
        ],
    }
