"""`dacapo check RECORDING… TARGET`: do executions in flight survive this code?"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from dacapo.cli.options import FAILED, Mistake, carefully, log_to_stderr, progress_bar, takes_output
from dacapo.cli.target import load
from dacapo.cli.verify import finding_as_json
from dacapo.history.files import load as load_history
from dacapo.history.points import DEFAULT_POINTS
from dacapo.report import findings
from dacapo.verify.deploy_check import CheckResult, check_logs


@click.command()
@click.argument("recordings", nargs=-1, metavar="RECORDING… TARGET", required=True)
@click.option("--full", is_flag=True, help="Replay from every point, however many there are.")
@takes_output
def check(recordings: tuple[str, ...], full: bool, form: str, verbose: bool) -> None:
    """Replay histories in today's code, TARGET: do executions in flight survive it?

    A RECORDING is what `dacapo run --save` wrote, or the output of aws lambda
    get-durable-execution-history --include-execution-data.

    Exit status: 0 if nothing was proved, 1 if something was, 2 for a mistake in the call.
    """
    *files, target = recordings
    if not files:
        raise Mistake("give a recording and a target: dacapo check RECORDING… MODULE:HANDLER")
    log_to_stderr(verbose=verbose)
    logs = carefully(lambda: {file: load_history(Path(file)) for file in files})
    handler = carefully(lambda: load(target)).handler
    most = None if full else DEFAULT_POINTS
    with progress_bar(len(logs)) as progress:
        results = carefully(lambda: check_logs(handler, logs, most, progress))
    if form == "json":
        click.echo(json.dumps(as_json(target, results), indent=1))
    else:
        findings.show_checked(target, results, Console())
    sys.exit(FAILED if any(result.proved for result in results) else 0)


def as_json(target: str, results: Sequence[CheckResult]) -> dict[str, Any]:
    """Return what `--format json` prints."""
    return {
        "target": target,
        "recordings": [
            {
                "file": result.name,
                "points": result.points,
                "findings": [finding_as_json(finding) for finding in result.findings],
            }
            for result in results
        ],
    }
