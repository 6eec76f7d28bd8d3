"""`dacapo show FILE|TARGET`: what an execution did, as a timeline, a page, or a model."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from dacapo.cli import exit_status, output
from dacapo.cli.options import Mistake, carefully, log_to_stderr, takes_output, takes_page
from dacapo.history import reading
from dacapo.report import terminal
from dacapo.report.page.build import execution_of, page_from
from dacapo.report.page.html import html_of
from dacapo.report.page.model import Page, without_payloads
from dacapo.report.page.passes import Watched, replayed, watch
from dacapo.report.text import NOTICE
from dacapo.scenario import Scenario
from dacapo.scenario.target import load
from dacapo.simulation.runner import DEFAULT_SEED

_RUN = "run"


@dataclass(frozen=True)
class _Shown:
    """An execution to show, and where it comes from."""

    name: str
    watched: Watched
    origin: str
    remark: str = ""


@click.command(epilog=exit_status.TABLE)
@click.argument("source", metavar="FILE|TARGET")
@click.option(
    "--beside",
    metavar="FILE|TARGET",
    help="Another execution, to show beside it: before and after, broken and fixed.",
)
@click.option(
    "--handler",
    metavar="TARGET",
    help="The handler, or a scenario of it, whose lines are shown for a file. It replays the "
    "history, and runs no step.",
)
@takes_page("Write a page: one file that needs no network.")
@click.option(
    "--without-payloads",
    "is_bare",
    is_flag=True,
    help="Leave out every payload: inputs, results, messages of errors, and what the world saw.",
)
@click.option("--seed", type=click.IntRange(min=0), default=DEFAULT_SEED, show_default=True)
@partial(takes_output, formats=())
def show(
    source: str,
    beside: str | None,
    handler: str | None,
    page_file: Path | None,
    is_bare: bool,
    seed: int,
    form: output.Forms,
    verbose: bool,
) -> None:
    """Show what an execution did: a saved recording, an exported history, or a scenario that runs.

    A FILE is what `dacapo run --save` wrote, or the output of aws lambda
    get-durable-execution-history: one page, or all of them one after the other. `--format json`
    prints the model of the page.
    """
    result = output.reserve()
    log_to_stderr(verbose=verbose)
    scenario = carefully(lambda: load(handler)) if handler else None
    names = [source, *([beside] if beside else [])]
    shown = [_shown(name, scenario, seed) for name in names]
    page = page_of(shown)
    if is_bare:
        page = without_payloads(page)
    if page_file is not None:
        page_file.write_text(html_of(page), encoding="utf-8")
    output.write(
        result,
        form,
        page.to_json(),
        lambda console: _print(shown, page, page_file, console),
    )
    sys.exit(exit_status.ExitStatus.AS_IT_SHOULD_BE)


def _shown(name: str, handler: Scenario | None, seed: int) -> _Shown:
    if not _is_file(name):
        scenario = carefully(lambda: load(name))
        return _Shown(name, carefully(lambda: watch(scenario, seed=seed)), _RUN)
    read = carefully(lambda: reading.read(Path(name)))
    if handler is None:
        remark = "" if read.is_whole else "Some of its pages, or its payloads, are missing."
        return _Shown(name, Watched(read.recording), read.origin, remark)
    if not read.is_whole:
        raise Mistake(
            f"{name} can't be replayed: it lacks pages, or payloads. Export all of them, with "
            "--include-execution-data, or leave --handler out"
        )
    watched = carefully(lambda: replayed(read.recording, handler))
    return _Shown(name, watched, read.origin)


def _is_file(name: str) -> bool:
    return ":" not in Path(name).name and not name.endswith(".py") and _may_be_file(name)


def _may_be_file(name: str) -> bool:
    return Path(name).exists() or name.endswith((".json", ".jsonl")) or "/" in name


def page_of(shown: Sequence[_Shown]) -> Page:
    """Return the page of one execution, or of two beside each other."""
    labels = [_label(one) for one in shown] if len(shown) > 1 else [""]
    if len(set(labels)) < len(labels):
        labels = ["the first", "the second"]
    return page_from(
        [
            execution_of(one.watched, one.origin, label)
            for one, label in zip(shown, labels, strict=True)
        ]
    )


def _label(shown: _Shown) -> str:
    return shown.watched.recording.scenario or Path(shown.name).stem


def _print(shown: Sequence[_Shown], page: Page, page_file: Path | None, console: Console) -> None:
    for number, one in enumerate(shown):
        if number:
            console.print()
        terminal.show(one.watched.recording, console, with_payloads=page.has_payloads)
        if one.remark:
            console.print(Text(f"\n{one.remark}", NOTICE))
    if page.parting is not None:
        console.print(Text(f"\nThey part: {page.parting.sentence}.", "bold"))
    if page_file is not None:
        console.print(Text(f"\nThe page is in {page_file}."), soft_wrap=True)
