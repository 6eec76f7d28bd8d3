"""The command line: `dacapo run TARGET`.

Exit status: 0 if the execution succeeded, 1 if it ended otherwise, 2 for a mistake in the call.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

import dacapo
from dacapo import loading
from dacapo.answers import Answer
from dacapo.recording import Recording
from dacapo.report import terminal
from dacapo.runner import DEFAULT_SEED, ScenarioError
from dacapo.safety import NetworkRefused
from dacapo.sdk_internals import SdkChangedError

FAILED, MISTAKE = 1, 2

_AFTER = re.compile(r"(?P<value>.*?)(?:@(?P<number>\d+)(?P<unit>[smhd]))?", re.DOTALL)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_T = TypeVar("_T")


class Mistake(click.ClickException):
    """A mistake in the call: one line, exit status 2."""

    exit_code = MISTAKE


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dacapo-durable")
def main() -> None:
    """Run Lambda durable functions locally, in virtual time."""


@main.command()
@click.argument("target")
@click.option("--event", metavar="JSON|@FILE", help="The input, instead of the scenario's.")
@click.option(
    "--answer",
    "answers",
    metavar="NAME=JSON[@AFTER]",
    multiple=True,
    help="Answer callback NAME with a result, AFTER (30s, 5m, 6h, 2d) it was made. Several for "
    "one name answer its callbacks one after the other.",
)
@click.option(
    "--fail",
    "failures",
    metavar="NAME=MESSAGE[@AFTER]",
    multiple=True,
    help="Answer callback NAME with a failure.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=DEFAULT_SEED,
    show_default=True,
    help="One seed, one history.",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.option(
    "--save",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Save the recording: history, operations and meta, as JSON.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show what the handlers log, on stderr.")
def run(
    target: str,
    event: str | None,
    answers: tuple[str, ...],
    failures: tuple[str, ...],
    seed: int,
    form: str,
    save: Path | None,
    verbose: bool,
) -> None:
    """Run TARGET: scenarios/FILE.py:NAME, MODULE:SCENARIO or MODULE:HANDLER."""
    if save is not None and not save.absolute().parent.is_dir():
        raise Mistake(f"--save: there is no directory {save.parent}")
    given = _parse_answers(answers, failures)
    replacement = {} if event is None else {"event": _parse_event(event)}
    _log_to_stderr(verbose)
    scenario = _carefully(lambda: loading.load(target))
    scenario = replace(scenario, answers={**scenario.answers, **given}, **replacement)
    recording = _carefully(lambda: dacapo.run(scenario, seed=seed))
    if save is not None:
        recording.save(save)
    _print(recording, form)
    sys.exit(0 if recording.status == "SUCCEEDED" else FAILED)


def as_json(recording: Recording) -> dict[str, Any]:
    """What `--format json` prints of a recording."""
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


def _print(recording: Recording, form: str) -> None:
    if form == "json":
        click.echo(json.dumps(as_json(recording), indent=1))
    else:
        terminal.show(recording, Console())


def _log_to_stderr(verbose: bool) -> None:
    if verbose:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    else:
        logging.disable(logging.CRITICAL)


def _carefully(do: Callable[[], _T]) -> _T:
    # Handlers print and log to stdout, which is for the result alone.
    try:
        with redirect_stdout(sys.stderr):
            return do()
    except (loading.TargetError, ScenarioError, NetworkRefused, SdkChangedError) as error:
        raise Mistake(str(error)) from error


def _parse_event(text: str) -> Any:
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text()
        return json.loads(text)
    except OSError as error:
        raise Mistake(f"--event: {error.filename} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise Mistake(f"--event: not JSON: {error}") from error


def _parse_answers(answers: tuple[str, ...], failures: tuple[str, ...]) -> dict[str, list[Answer]]:
    parsed: dict[str, list[Answer]] = {}
    for text in answers:
        name, value, after = _split(text, "--answer")
        try:
            json.loads(value)
        except ValueError as error:
            raise Mistake(f"--answer {name}: {value!r} is not JSON: {error}") from error
        parsed.setdefault(name, []).append(dacapo.succeed(raw=value.encode(), after=after))
    for text in failures:
        name, message, after = _split(text, "--fail")
        parsed.setdefault(name, []).append(dacapo.fail(message, after=after))
    return parsed


def _split(text: str, option: str) -> tuple[str, str, timedelta]:
    name, equals, rest = text.partition("=")
    match = _AFTER.fullmatch(rest)
    if not equals or not name or match is None:
        raise Mistake(f"{option} {text!r}: give NAME=VALUE or NAME=VALUE@AFTER, as in x=1@6h")
    if match["number"] is None:
        return name, match["value"], timedelta(0)
    return name, match["value"], timedelta(**{_UNITS[match["unit"]]: int(match["number"])})
