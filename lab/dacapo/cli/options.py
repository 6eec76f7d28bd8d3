"""Options that commands share: the target, what is added to its scenario, and what is printed."""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import Progress

import dacapo
from dacapo.cli import output
from dacapo.cli.exit_status import ExitStatus
from dacapo.errors import DacapoError, HandlerStuck
from dacapo.history import endings
from dacapo.scenario import Scenario
from dacapo.scenario.answers import Answer
from dacapo.scenario.target import load
from dacapo.simulation.runner import DEFAULT_SEED

_TIME = re.compile(r"(?P<number>\d+)(?P<unit>[smhd])")
_LOOKS_LIKE_TIME = re.compile(r"[+-]?\d[\w.]*")
_emit: Any = logging.StreamHandler.emit
_TERMINAL = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_T = TypeVar("_T")
_Command = TypeVar("_Command", bound=Callable[..., Any])


class Mistake(click.ClickException):
    """A mistake in the call: one line, exit status 2."""

    exit_code = ExitStatus.MISTAKE.value


class Stuck(Mistake):
    """The handler had to be stopped: nothing is known of it."""

    exit_code = ExitStatus.NOT_VERIFIED.value


_SCENARIO_OPTIONS = (
    click.argument("target"),
    click.option("--event", metavar="JSON|@FILE", help="The input, instead of the scenario's."),
    click.option(
        "--answer",
        "answers",
        metavar="NAME=JSON[@AFTER]",
        multiple=True,
        help="Answer callback NAME with a result, AFTER (30s, 5m, 6h, 2d) it was made. Several for "
        "one name answer its callbacks one after the other. NAME can be a path: "
        "BATCH/BRANCH/CALLBACK.",
    ),
    click.option(
        "--fail",
        "failures",
        metavar="NAME=MESSAGE[@AFTER]",
        multiple=True,
        help="Answer callback NAME with a failure.",
    ),
    click.option(
        "--expect",
        metavar="STATUS|ERROR",
        help="How the execution must end, instead of as the scenario expects: a status, or the "
        "type of an error. By default, SUCCEEDED.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=DEFAULT_SEED,
        show_default=True,
        help="One seed, one history.",
    ),
)


class _FileToWrite(click.Path):
    """A file to write, whose directory has to exist before anything runs."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Return the path; a directory that does not exist is a mistake."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.absolute().parent.is_dir():
            option = param.opts[0] if param else "a file"
            raise Mistake(f"{option}: there is no directory {path.parent}")
        return path


TO_WRITE = _FileToWrite()
"""The type of an option that names a file to write."""


def takes_page(text: str) -> Callable[[_Command], _Command]:
    """Return what gives a command the option `--html FILE`, as `page_file`.

    Parameters:
        text: its help.
    """
    return click.option("--html", "page_file", type=TO_WRITE, metavar="FILE", help=text)


fails_on = click.option(
    "--fail-on",
    "fails_on_lint",
    type=click.Choice(["lint"]),
    callback=lambda _, __, value: value is not None,
    help="Exit with 1 for a lint as well.",
)


def takes_scenario(
    command: Callable[..., None], formats: Sequence[str] = ()
) -> Callable[..., None]:
    """Give a command the options of a scenario.

    It is called with `target`, `scenario` and `result`: what it writes its result to.

    Parameters:
        formats: formats that it has in addition to `output.PLAIN`.
    """

    @functools.wraps(command)
    def with_scenario(
        target: str,
        event: str | None,
        answers: tuple[str, ...],
        failures: tuple[str, ...],
        expect: str | None,
        verbose: bool,
        **own: Any,
    ) -> None:
        result = output.reserve()
        log_to_stderr(verbose=verbose)
        scenario = _scenario_of(target, event, answers, failures, expect)
        command(target=target, scenario=scenario, result=result, **own)

    return _with((*_SCENARIO_OPTIONS, *_output_options(formats)), with_scenario)


def takes_output(command: _Command, formats: Iterable[str] = tuple(output.REPORTS)) -> _Command:
    """Give a command the options of what it prints.

    Parameters:
        formats: formats that it has in addition to `output.PLAIN`.
    """
    return _with(_output_options(formats), command)


def _output_options(formats: Iterable[str]) -> Sequence[Callable[[_Command], _Command]]:
    known = [*output.PLAIN, *formats]
    return (
        click.option(
            "--format",
            "form",
            multiple=True,
            metavar="FORMAT[=FILE]",
            callback=lambda _, __, texts: _parse_forms(texts, known),
            help=f"{', '.join(known)}; text by default. Can be repeated: one is printed, those "
            "with a FILE are written there.",
        ),
        click.option(
            "-v", "--verbose", is_flag=True, help="Show what the handlers log, on stderr."
        ),
    )


def _parse_forms(texts: Sequence[str], known: Sequence[str]) -> output.Forms:
    forms: dict[str, Path | None] = {}
    for text in texts:
        form, equals, file = text.partition("=")
        if form not in known:
            raise Mistake(f"--format: {form!r} is not one of {', '.join(map(repr, known))}")
        if form in forms:
            raise Mistake(f"--format: {form} is there twice")
        if equals and not Path(file).absolute().parent.is_dir():
            raise Mistake(f"--format: there is no directory {Path(file).parent}")
        if equals and Path(file).is_dir():
            raise Mistake(f"--format: {file} is a directory")
        forms[form] = Path(file) if equals else None
    printed = [form for form, file in forms.items() if file is None]
    if len(printed) > 1:
        raise Mistake(f"--format: only one can be printed, give {printed[1]} a file: FORMAT=FILE")
    return forms if printed else {"text": None, **forms}


def _with(options: Sequence[Callable[[_Command], _Command]], command: _Command) -> _Command:
    return reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


def _scenario_of(
    target: str,
    event: str | None,
    answers: tuple[str, ...],
    failures: tuple[str, ...],
    expect: str | None,
) -> Scenario:
    added = _parse_answers(answers, failures)
    replacement = {} if event is None else {"event": _parse_event(event)}
    if expect is not None:
        carefully(lambda: endings.check(expect, "--expect"))
        replacement["expects"] = expect
    scenario = carefully(lambda: load(target))
    return replace(scenario, answers={**scenario.answers, **added}, **replacement)


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[str], None]]:
    """Context manager for a bar on stderr, if that is a terminal; yields a function to advance it.

    Parameters:
        total: how many names there are; the bar advances with every new one.
    """
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task, seen = progress.add_task("", total=total), set[str]()

        def advance(name: str) -> None:
            seen.add(name)
            progress.update(task, description=name, completed=len(seen) - 1)

        yield advance


def log_to_stderr(*, verbose: bool) -> None:
    """Send logs to stderr, or nowhere."""
    # The same records are made in both cases: a handler may send them somewhere.
    logging.getLogger().setLevel(logging.INFO)
    if verbose:
        logging.StreamHandler.emit = _emit  # type: ignore[method-assign]
        logging.basicConfig(stream=sys.stderr)
    else:
        # Not `logging.disable`: a handler that sends its records somewhere has to do so.
        logging.lastResort = logging.NullHandler()
        logging.StreamHandler.emit = _emit_elsewhere  # type: ignore[method-assign]


def _emit_elsewhere(self: Any, record: logging.LogRecord) -> None:
    if getattr(self, "stream", None) not in (*_TERMINAL, sys.stdout, sys.stderr):
        _emit(self, record)


def carefully(work: Callable[[], _T]) -> _T:
    """Run something that calls the user's code; a mistake of the user's becomes one clear line."""
    try:
        return work()
    except HandlerStuck as error:
        raise Stuck(str(error)) from error
    except DacapoError as error:
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
        name, value = _split(text, "--answer")
        value, after = _with_time(value, f"--answer {name}", is_value=_is_json)
        try:
            json.loads(value)
        except ValueError as error:
            raise Mistake(f"--answer {name}: {value!r} is not JSON: {error}") from error
        parsed.setdefault(name, []).append(dacapo.succeed(raw=value.encode(), after=after))
    for text in failures:
        name, value = _split(text, "--fail")
        message, after = _with_time(value, f"--fail {name}", is_value=lambda _: False)
        parsed.setdefault(name, []).append(dacapo.fail(message, after=after))
    return parsed


def _split(text: str, option: str) -> tuple[str, str]:
    name, equals, rest = text.partition("=")
    if not equals or not name:
        raise Mistake(f"{option} {text!r}: give NAME=VALUE or NAME=VALUE@AFTER, as in x=1@6h")
    return name, rest


def _with_time(text: str, option: str, *, is_value: Callable[[str], bool]) -> tuple[str, timedelta]:
    """Split VALUE@AFTER.

    Parameters:
        is_value: tells a value from what is none, for a value may hold an @ itself.
    """
    value, at, after = text.rpartition("@")
    if not at or is_value(text) or not (is_value(value) or _LOOKS_LIKE_TIME.fullmatch(after)):
        return text, timedelta(0)
    length = _length_of(after)
    if length is None:
        why = "it is in the past" if after.startswith("-") else "it needs a number and s, m, h or d"
        raise Mistake(f"{option}: {after!r} is not a time after the callback: {why}, as in 6h")
    return value, length


def parse_length(text: str, option: str) -> timedelta:
    """Return a length of time that is more than 0, as in `30m`.

    Parameters:
        option: the option that has it.

    Raises:
        Mistake: it is not one.
    """
    length = _length_of(text)
    if not length:
        raise Mistake(f"{option}: {text!r} is not a length: write a number and s, m, h or d: 30m")
    return length


def _length_of(text: str) -> timedelta | None:
    match = _TIME.fullmatch(text)
    return timedelta(**{_UNITS[match["unit"]]: int(match["number"])}) if match else None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
