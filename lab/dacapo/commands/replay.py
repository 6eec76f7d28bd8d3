"""`dacapo replay RECORDING… TARGET`: would executions that are in flight survive this code?"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from dacapo import loading
from dacapo.commands.options import (
    FAILED,
    Mistake,
    carefully,
    log_to_stderr,
    progress_bar,
    takes_output,
)
from dacapo.commands.verify import finding_as_json
from dacapo.report import findings
from dacapo.verify import gate, histories
from dacapo.verify.gate import Replayed
from dacapo.verify.points import DEFAULT_POINTS
from dacapo.versions import Truncated


@click.command()
@click.argument("recordings", nargs=-1, metavar="RECORDING… TARGET", required=True)
@click.option("--full", is_flag=True, help="Replay from every point, however many there are.")
@takes_output
def replay(recordings: tuple[str, ...], full: bool, form: str, verbose: bool) -> None:
    """Replay histories in today's code, TARGET: would an execution in flight survive it?

    A RECORDING is what `dacapo run --save` wrote, or the output of aws lambda
    get-durable-execution-history --include-execution-data.

    Exit status: 0 if nothing was proved, 1 if something was, 2 for a mistake in the call.
    """
    *files, target = recordings
    if not files:
        raise Mistake("give a recording and a target: dacapo replay RECORDING… MODULE:HANDLER")
    log_to_stderr(verbose=verbose)
    try:
        logs = {file: histories.load(Path(file)) for file in files}
    except (histories.Unreadable, Truncated) as error:
        raise Mistake(str(error)) from error
    handler = carefully(lambda: loading.load(target)).handler
    most = None if full else DEFAULT_POINTS
    with progress_bar(len(logs)) as progress:
        replayed = carefully(partial(gate.check_all, handler, logs, most, progress))
    if form == "json":
        click.echo(json.dumps(as_json(target, replayed), indent=1))
    else:
        findings.show_replayed(target, replayed, Console())
    sys.exit(FAILED if any(one.proved for one in replayed.values()) else 0)


def as_json(target: str, replayed: dict[str, Replayed]) -> dict[str, Any]:
    """What `--format json` prints."""
    return {
        "target": target,
        "recordings": [
            {
                "file": file,
                "points": one.points,
                "findings": [finding_as_json(finding) for finding in one.findings],
            }
            for file, one in replayed.items()
        ],
    }
