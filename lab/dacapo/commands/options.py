"""What the commands that take a scenario have in common: its target, and what is added to it."""

from __future__ import annotations

import functools
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import Progress

import dacapo
from dacapo import loading
from dacapo.answering import ScenarioError
from dacapo.answers import Answer
from dacapo.runner import DEFAULT_SEED
from dacapo.safety import NetworkRefused
from dacapo.scenario import Scenario
from dacapo.sdk_internals.installed import SdkChangedError

FAILED, MISTAKE = 1, 2

_AFTER = re.compile(r"(?P<value>.*?)(?:@(?P<number>\d+)(?P<unit>[smhd]))?", re.DOTALL)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_T = TypeVar("_T")
_Command = TypeVar("_Command", bound=Callable[..., Any])


class Mistake(click.ClickException):
    """A mistake in the call: one line, exit status 2."""

    exit_code = MISTAKE


_SCENARIO_OPTIONS = (
    click.argument("target"),
    click.option("--event", metavar="JSON|@FILE", help="The input, instead of the scenario's."),
    click.option(
        "--answer",
        "answers",
        metavar="NAME=JSON[@AFTER]",
        multiple=True,
        help="Answer callback NAME with a result, AFTER (30s, 5m, 6h, 2d) it was made. Several for "
        "one name answer its callbacks one after the other.",
    ),
    click.option(
        "--fail",
        "failures",
        metavar="NAME=MESSAGE[@AFTER]",
        multiple=True,
        help="Answer callback NAME with a failure.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=DEFAULT_SEED,
        show_default=True,
        help="One seed, one history.",
    ),
)
_OUTPUT_OPTIONS = (
    click.option(
        "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
    ),
    click.option("-v", "--verbose", is_flag=True, help="Show what the handlers log, on stderr."),
)


def takes_scenario(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a scenario, and call it with `target` and `scenario`."""

    @functools.wraps(command)
    def with_scenario(
        target: str,
        event: str | None,
        answers: tuple[str, ...],
        failures: tuple[str, ...],
        verbose: bool,
        **own: Any,
    ) -> None:
        log_to_stderr(verbose=verbose)
        scenario = _scenario_of(target, event, answers, failures)
        command(target=target, scenario=scenario, **own)

    return _with((*_SCENARIO_OPTIONS, *_OUTPUT_OPTIONS), with_scenario)


def takes_output(command: _Command) -> _Command:
    """Give a command the options of what it prints."""
    return _with(_OUTPUT_OPTIONS, command)


def _with(options: Sequence[Callable[[_Command], _Command]], command: _Command) -> _Command:
    return reduce(lambda given, option: option(given), reversed(options), command)


def _scenario_of(
    target: str, event: str | None, answers: tuple[str, ...], failures: tuple[str, ...]
) -> Scenario:
    given = _parse_answers(answers, failures)
    replacement = {} if event is None else {"event": _parse_event(event)}
    scenario = carefully(lambda: loading.load(target))
    return replace(scenario, answers={**scenario.answers, **given}, **replacement)


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on stderr, if that is a terminal, that goes on with every new name it is told."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task, told = progress.add_task("", total=total), set[str]()

        def tell(name: str) -> None:
            told.add(name)
            progress.update(task, description=name, completed=len(told) - 1)

        yield tell


def log_to_stderr(*, verbose: bool) -> None:
    """Show what is logged on stderr, or nowhere."""
    if verbose:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    else:
        logging.disable(logging.CRITICAL)


def carefully(do: Callable[[], _T]) -> _T:
    """Do something with the user's code; a mistake in the call is one clear line."""
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
