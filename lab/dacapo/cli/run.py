"""`dacapo run TARGET`: one run, shown as a timeline or as JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, Any

import click
from rich.console import Console
from rich.text import Text

import dacapo
from dacapo.cli import exit_status, output
from dacapo.cli.options import TO_WRITE, Stuck, carefully, takes_page, takes_scenario
from dacapo.cli.pages import write_page
from dacapo.history import endings
from dacapo.history.recording import Recording
from dacapo.report import terminal
from dacapo.report.text import BAD, visible
from dacapo.scenario import Scenario
from dacapo.verify.endings import ending_of, never_ended
from dacapo.verify.findings import Ending


@click.command(epilog=exit_status.TABLE)
@takes_scenario
@click.option(
    "--save",
    type=TO_WRITE,
    metavar="FILE",
    help="Save the recording: history, operations and meta, as JSON.",
)
@takes_page("Write the page of `dacapo show`. It runs TARGET again, to watch its lines.")
@click.option(
    "--no-replay", is_flag=True, help="Continue the handler instead of replaying it: faster."
)
def run(
    target: str,
    scenario: Scenario,
    result: IO[str],
    seed: int,
    form: output.Forms,
    save: Path | None,
    page_file: Path | None,
    no_replay: bool,
) -> None:
    """Run TARGET: scenarios/FILE.py:NAME, MODULE:SCENARIO or MODULE:HANDLER."""
    if page_file is not None:
        carefully(lambda: write_page(scenario, seed, page_file))
    try:
        recording = carefully(lambda: dacapo.run(scenario, seed=seed, replay=not no_replay))
    except Stuck as stuck:
        if "json" in form:
            output.write(result, form, _stuck_as_json(target, scenario, stuck), lambda _: None)
        raise
    if save is not None:
        recording.save(save)
    status = exit_status.of_run(scenario, recording)
    output.write(
        result,
        form,
        {"target": target, **as_json(scenario, recording), "exit_status": status.value},
        lambda console: _show(scenario, recording, console),
    )
    sys.exit(status)


def _show(scenario: Scenario, recording: Recording, console: Console) -> None:
    terminal.show(recording, console)
    for problem in _problems(scenario, recording):
        console.print(Text(visible(f"\n{problem}"), f"bold {BAD}"))


def _problems(scenario: Scenario, recording: Recording) -> list[str]:
    """Return what is wrong with a run: its ending, and its invariant."""
    problems = []
    ending = ending_of(scenario, recording)
    if not ending.is_expected:
        expected = endings.name_of(scenario.expects)
        problems.append(f"the run {ending.sentence}; expected: {expected}")
    if recording.broken_invariant is not None:
        problems.append(f"the invariant is broken: {recording.broken_invariant}")
    return problems


def _stuck_as_json(target: str, scenario: Scenario, stuck: Stuck) -> dict[str, Any]:
    ending = never_ended(stuck.message)
    expected = endings.name_of(scenario.expects)
    return {
        "target": target,
        "scenario": scenario.name,
        "status": ending.status,
        "expected": expected,
        "reasons": [f"the run {ending.sentence}; expected: {expected}"],
        "error": error_as_json(ending),
        "exit_status": stuck.exit_code,
    }


def as_json(scenario: Scenario, recording: Recording) -> dict[str, Any]:
    """Return what `--format json` prints of a recording."""
    broken = recording.broken_invariant
    return {
        "scenario": recording.scenario,
        "function": recording.function,
        "arn": recording.arn,
        "status": recording.status,
        "expected": endings.name_of(scenario.expects),
        "reasons": _problems(scenario, recording),
        "result": recording.result,
        "error": error_as_json(ending_of(scenario, recording)),
        "broken_invariant": broken
        and {"message": broken.message, **output.file_and_line(broken.place)},
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


def error_as_json(ending: Ending) -> dict[str, Any] | None:
    """Return the error that an execution ended with, as JSON values; None if it has none."""
    if not ending.error_type and not ending.message:
        return None
    place = output.file_and_line(ending.place)
    cause = ending.cause
    return {
        "type": ending.error_type or None,
        "message": ending.message,
        **place,
        "cause": cause and {"type": cause.name, **output.file_and_line(cause.place)},
    }
