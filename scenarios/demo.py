"""`make demo`: a migration waited for in two ways, and a job whose end is told over HTTP."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

import dacapo
from dacapo import Recording, Scenario
from dacapo.report import terminal
from dacapo.report.durations import spell
from scenarios import event_callback, polling, webhook_callback

INTRODUCTION = (
    "A database migration takes six hours, and a durable function has to wait for it. Here it "
    "waits in two ways: on this machine, without AWS, in virtual time. Then another function waits "
    "for a third party that calls a URL. Each timeline shows the operations that the handler "
    "checkpointed, its invocations, and what this would cost on AWS."
)
LEGEND = (
    "▼ the handler is invoked   ● something is checkpointed   ○ a poll   ┄ a wait\n◦ a sign of life"
)
CALLS = "What came to the URL, as real HTTP on this machine, and what was answered:"
STATUSES = {
    200: "taken",
    400: "refused: the field is named",
    401: "not signed",
    409: "refused: another was taken",
}
WHAT_NEXT = """\
a lost event   .venv/bin/dacapo run scenarios/event_callback.py:event_lost
other endings  scenarios/, one story a line
the handlers   src/patterns/, one folder each
the proof      make test"""


def main() -> None:
    """Run both stories, show them, and compare them."""
    logging.disable(logging.CRITICAL)
    console = Console(highlight=False)
    console.print(Text(INTRODUCTION))
    console.print(Text(f"\n{LEGEND}", "dim"))
    stories = {
        "polling": replace(polling.finishes, name="finishes"),
        "event": replace(event_callback.event_on_time, name="event_on_time"),
    }
    ran = {way: _timed(story) for way, story in stories.items()}
    _heading(console, "1  Asking until it has ended: wait_for_condition")
    terminal.show(ran["polling"][0], console)
    _heading(console, "2  Being told that it has: wait_for_callback")
    terminal.show(ran["event"][0], console)
    _heading(console, "The two beside each other")
    console.print(_comparison(ran))
    _heading(console, "3  Being called by a third party that knows only a URL")
    _show_webhook(console)
    console.print(Text(f"\n{WHAT_NEXT}"), soft_wrap=True)


def _show_webhook(console: Console) -> None:
    story = replace(webhook_callback.answered_after_all, name="answered_after_all")
    recording = dacapo.run(story)
    terminal.show(recording, console)
    console.print(Text(f"\n{CALLS}"))
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2))
    for happening, status in zip(story.happenings, recording.world.replies, strict=True):
        table.add_row(spell(happening.after), happening.name, str(status), STATUSES[status])
    console.print(table)


def _timed(story: Scenario) -> tuple[Recording, float]:
    began = time.perf_counter()
    recording = dacapo.run(story)
    return recording, time.perf_counter() - began


def _heading(console: Console, title: str) -> None:
    console.print()
    console.rule(Text(title, "bold cyan"), align="left", style="cyan")
    console.print()


def _comparison(ran: dict[str, tuple[Recording, float]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2))
    table.add_column()
    for way in ran:
        table.add_column(way, justify="right")
    rows = [_figures(recording, seconds) for recording, seconds in ran.values()]
    for what in rows[0]:
        table.add_row(what, *(row[what] for row in rows))
    return table


def _figures(recording: Recording, seconds: float) -> dict[str, str]:
    ended = recording.ended or recording.started
    return {
        "invocations": str(len(recording.invocations)),
        "operations charged": str(recording.charged_operations),
        "bytes written": f"{recording.bytes_written:,}",
        "a million executions": f"${recording.bill.dollars_per_million:,.2f}",
        "virtual time": spell(ended - recording.started),
        "the end was noticed after": spell(ended - recording.started - polling.SIX_HOURS),
        "real time, here and now": f"{seconds * 1000:.0f} ms",
    }


if __name__ == "__main__":
    main()
