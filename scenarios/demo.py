"""`make demo`: a migration waited for in two ways, then a job whose result arrives over HTTP."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

import dacapo
from dacapo import Recording, Scenario, show, spell
from scenarios import event_callback, polling, webhook_callback
from scenarios.worlds.migration import SIX_HOURS

INTRODUCTION = (
    "A database migration takes six hours, and a durable function has to wait for it. Below, it "
    "waits in two ways: on your machine, without AWS, in virtual time. Then another function waits "
    "for a vendor that calls a URL. Each timeline shows the handler's checkpoints, its "
    "invocations, and what they would cost on AWS."
)
LEGEND = "▼ invocation   ● checkpoint   ○ poll   ┄ wait   ◦ heartbeat"
CALLS = "Real HTTP requests to the URL on this machine, and their responses:"
WHOSE = ("the handler", "other functions")
STATUSES = {
    200: "accepted",
    400: "names the invalid field",
    401: "invalid signature",
    409: "already answered",
}
WHAT_NEXT = """\
a lost event    .venv/bin/dacapo run scenarios/event_callback.py:event_lost
more scenarios  scenarios/, one file per pattern
the handlers    src/patterns/, one folder per pattern
the proof       make test"""


def main() -> None:
    """Run the scenarios, show their timelines, and compare the two migrations."""
    logging.disable(logging.CRITICAL)
    console = Console(highlight=False)
    console.print(Text(INTRODUCTION))
    console.print(Text(f"\n{LEGEND}"))
    scenarios = {
        "polling": replace(polling.finishes, name="finishes"),
        "event": replace(event_callback.event_on_time, name="event_on_time"),
    }
    runs = {way: _timed(scenario) for way, scenario in scenarios.items()}
    _heading(console, "1  Poll until it ends: wait_for_condition")
    show(runs["polling"][0], console)
    _heading(console, "2  Wait for its event: wait_for_callback")
    show(runs["event"][0], console)
    _heading(console, "Side by side")
    console.print(_comparison(runs))
    _heading(console, "3  Wait for a vendor that knows only a URL")
    _show_webhook(console)
    console.print(Text(f"\n{WHAT_NEXT}"), soft_wrap=True)


def _show_webhook(console: Console) -> None:
    scenario = replace(webhook_callback.answered_eventually, name="answered_eventually")
    recording = dacapo.run(scenario)
    show(recording, console)
    console.print(Text(f"\n{CALLS}"))
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2))
    for external_event, status in zip(
        scenario.external_events, recording.world.replies, strict=True
    ):
        table.add_row(
            spell(external_event.after), external_event.name, str(status), STATUSES[status]
        )
    console.print(table)


def figures(scenario: Scenario) -> dict[str, str]:
    """Run a migration of six hours, and return its figures as the demo shows them."""
    return _figures(*_timed(scenario))


def _timed(scenario: Scenario) -> tuple[Recording, float]:
    started = time.perf_counter()
    recording = dacapo.run(scenario)
    return recording, time.perf_counter() - started


def _heading(console: Console, title: str) -> None:
    console.print()
    console.rule(Text(title, "bold"), align="left", style="default")
    console.print()


def _comparison(runs: dict[str, tuple[Recording, float]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2))
    table.add_column()
    for way in runs:
        table.add_column(way, justify="right")
    rows = [_figures(recording, seconds) for recording, seconds in runs.values()]
    for figure in rows[0]:
        table.add_row(figure, *(row[figure] for row in rows))
    return table


def _figures(recording: Recording, seconds: float) -> dict[str, str]:
    ended = recording.ended or recording.started
    return {
        f"invocations of {WHOSE[0]}": str(len(recording.invocations)),
        f"invocations of {WHOSE[1]}": str(len(recording.calls)),
        "charged operations": str(recording.charged_operations),
        "bytes written": f"{recording.bytes_written:,}",
        "cost per 1,000 migrations": f"${recording.bill.dollars * 1_000:,.2f}",
        "virtual time": spell(ended - recording.started),
        "delay after the end": spell(ended - recording.started - SIX_HOURS),
        "real time on this machine": f"{seconds * 1000:.0f} ms",
    }


if __name__ == "__main__":
    main()
