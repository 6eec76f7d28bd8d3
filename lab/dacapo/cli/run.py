"""`dacapo run TARGET`: one run, shown as a timeline or as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

import dacapo
from dacapo.cli.options import FAILED, Mistake, carefully, takes_scenario
from dacapo.history.recording import Recording
from dacapo.report import terminal
from dacapo.scenario import Scenario


@click.command()
@takes_scenario
@click.option(
    "--save",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Save the recording: history, operations and meta, as JSON.",
)
@click.option(
    "--no-replay", is_flag=True, help="Continue the handler instead of replaying it: faster."
)
def run(
    target: str,  # noqa: ARG001 - the scenario is of it
    scenario: Scenario,
    seed: int,
    form: str,
    save: Path | None,
    no_replay: bool,
) -> None:
    """Run TARGET: scenarios/FILE.py:NAME, MODULE:SCENARIO or MODULE:HANDLER."""
    if save is not None and not save.absolute().parent.is_dir():
        raise Mistake(f"--save: there is no directory {save.parent}")
    recording = carefully(lambda: dacapo.run(scenario, seed=seed, replay=not no_replay))
    if save is not None:
        recording.save(save)
    if form == "json":
        click.echo(json.dumps(as_json(recording), indent=1))
    else:
        terminal.show(recording, Console())
    sys.exit(0 if recording.status == "SUCCEEDED" else FAILED)


def as_json(recording: Recording) -> dict[str, Any]:
    """Return what `--format json` prints of a recording."""
    error = recording.error
    return {
        "scenario": recording.scenario,
        "function": recording.function,
        "arn": recording.arn,
        "status": recording.status,
        "result": recording.result,
        "error": error and {"type": error.type, "message": error.message},
        "invocations": len(recording.invocations),
        "updates": recording.updates,
        "charged_operations": recording.charged_operations,
        "bytes_written": recording.bytes_written,
        "virtual_seconds": recording.virtual_seconds,
        "dollars_per_million": recording.bill.dollars_per_million,
        "operations": [
            {
                "path": operation.path,
                "kind": operation.kind,
                "status": operation.status,
                "attempts": operation.attempts,
                "payload": operation.payload,
            }
            for operation in recording.operations
        ],
        "seed": recording.seed,
    }
