"""`dacapo history FUNCTION -o DIR`: fetch the histories of executions in flight, for `check`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from dacapo.cli.options import Mistake, carefully, parse_length
from dacapo.history import fetching
from dacapo.history.exports import Data, Folder
from dacapo.history.fetching import Fetched, Selection
from dacapo.scenario.target import load_function
from dacapo.service.errors import ServiceError
from dacapo.service.execution import ExecutionStatus
from dacapo.service.functions import FunctionName
from dacapo.simulation import network_guard

_IN_FLIGHT = ExecutionStatus.RUNNING.value


@click.command()
@click.argument("function", metavar="FUNCTION[:VERSION|:ALIAS]")
@click.option(
    "-o",
    "--output",
    "directory",
    metavar="DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Write one file for each execution into DIR; those that are there are not fetched again.",
)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([status.value for status in ExecutionStatus]),
    default=[_IN_FLIGHT],
    show_default=True,
    help="Fetch executions with this status; can be repeated.",
)
@click.option(
    "--since",
    metavar="LENGTH|TIME",
    help="Fetch those that started since then: 12h, 7d, or a time as in 2026-11-01T08:00:00Z.",
)
@click.option(
    "--sample",
    metavar="N",
    type=click.IntRange(min=1),
    help="Fetch N executions of each version, spread evenly over the times at which they started.",
)
@click.option(
    "--without-data",
    is_flag=True,
    help="Fetch the shape alone: no payload, result, error or callback ID. It can't be replayed.",
)
@click.option(
    "--redact",
    metavar="MODULE:FUNCTION",
    help="Let FUNCTION(text, operation) replace each payload and error text before it is written.",
)
def history(
    function: str,
    directory: Path,
    statuses: tuple[str, ...],
    since: str | None,
    sample: int | None,
    without_data: bool,
    redact: str | None,
) -> None:
    """Fetch the histories of FUNCTION's executions in flight from AWS, for `dacapo check`.

    Without a version, those of every version. It reads with the credentials and the region that
    boto3 finds, at most 15 times a second, and changes nothing.

    Exit status: 0, or 2 if AWS refuses; what was saved before that stays.
    """
    if without_data and redact:
        raise Mistake("give --without-data or --redact, not both")
    name, selection = _selection(function, statuses, since, sample)
    data = Data.NONE if without_data else Data.REDACTED if redact else Data.ALL
    fetched = carefully(lambda: _fetch(name, selection, directory, data, redact))
    click.echo("\n".join(_summary(selection, fetched, directory)))


def _selection(
    function: str, statuses: tuple[str, ...], since: str | None, sample: int | None
) -> tuple[FunctionName, Selection]:
    try:
        name = FunctionName.parse(function)
    except ServiceError as error:
        raise Mistake(f"{function!r} is not the name or ARN of a function") from error
    unqualified = function.removesuffix(f":{name.qualifier}") if name.qualifier else function
    start = None if since is None else _start(since)
    return name, Selection(unqualified, name.qualifier, statuses, start, sample)


def _start(since: str) -> datetime:
    try:
        start = datetime.fromisoformat(since)
    except ValueError:
        return datetime.now(UTC) - parse_length(since, "--since")
    return start if start.tzinfo else start.replace(tzinfo=UTC)


def _fetch(
    name: FunctionName, selection: Selection, directory: Path, data: Data, redact: str | None
) -> Fetched:
    redaction = load_function(redact) if redact else None
    folder = Folder(directory, data, redaction)
    console = Console(stderr=True)
    progress = Progress(console=console, transient=True, disable=not console.is_terminal)
    with network_guard.online(), progress:
        task = progress.add_task("", total=None)
        return fetching.fetch(
            fetching.connect(name.region),
            selection,
            folder,
            on_chosen=lambda total: progress.update(task, total=total),
            on_done=lambda done: progress.update(task, description=done, advance=1),
        )


def _summary(selection: Selection, fetched: Fetched, directory: Path) -> list[str]:
    statuses = " or ".join(selection.statuses)
    total = sum(fetched.listed.values())
    ordered = sorted(fetched.listed.items(), key=lambda item: (len(item[0]), item[0]))
    versions = ", ".join(f"{count} on {version}" for version, count in ordered)
    line = f"{selection.function}: {total} executions {statuses}"
    if not total:
        return [line]
    there = f", {fetched.present} were there" if fetched.present else ""
    gone = f", {fetched.gone} were deleted" if fetched.gone else ""
    return [f"{line} ({versions})", f"{directory}: {fetched.saved} saved{there}{gone}"]
