"""Files of a sandbox that a later step relies on, and files that the body writes."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution

from dacapo import Scenario
from tests.verify.corpus.aws import bucket
from tests.verify.corpus.case import DAY, DIFFERS, HOUR, MINUTE, PROCESS, bad, correct

WORK = Path(tempfile.gettempdir()) / "corpus-monthly-report.csv"

s3 = boto3.client("s3")


@contextmanager
def empty_disk(*paths: Path) -> Iterator[None]:
    """Context manager that removes files, as a fresh sandbox has none, and removes them again."""
    for path in paths:
        path.unlink(missing_ok=True)
    try:
        yield
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


@contextmanager
def tidied(prefix: str) -> Iterator[None]:
    """Context manager that removes the temporary folders of a run."""
    try:
        yield
    finally:
        for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
            shutil.rmtree(folder)


# -- a report in the temporary folder --------------------------------------------------------------


def write_report(rows: list[dict[str, Any]], _: StepContext) -> int:
    with WORK.open("w", newline="") as file:  # <- cause of monthly_report
        writer = csv.DictWriter(file, ["region", "cents"])
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def send_report(_: StepContext) -> list[str]:
    with WORK.open(newline="") as file:  # <- cause of monthly_report
        return [f"{row['region']}: {row['cents']}" for row in csv.DictReader(file)]


@durable_execution
def monthly_report(event: list[dict[str, Any]], context: DurableContext) -> list[str]:
    """Write a report, let the controller read it for a day, and send it."""
    context.step(partial(write_report, event), name="write the report")
    context.wait(DAY, name="let the controller read it")
    return context.step(send_report, name="send the report")


@durable_execution
def monthly_report_stored(event: list[dict[str, Any]], context: DurableContext) -> list[str]:
    """Keep the report in S3 between the steps; a local file lives within a step."""

    def write(_: StepContext) -> int:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "report.csv"
            path.write_text("\n".join(f"{row['region']}: {row['cents']}" for row in event))
            s3.put_object(Bucket="reports", Key="monthly.csv", Body=path.read_bytes())
        return len(event)

    def send(_: StepContext) -> list[str]:
        stored = s3.get_object(Bucket="reports", Key="monthly.csv")["Body"].read()
        return str(stored, "utf-8").splitlines()

    context.step(write, name="write the report")
    context.wait(DAY, name="let the controller read it")
    return context.step(send, name="send the report")


# -- a literal path --------------------------------------------------------------------------------


class Thumbnails:
    """Makes thumbnails in one step, and uploads them in another."""

    folder = "/tmp/corpus-thumbnails.json"

    def make(self, images: list[str], _: StepContext) -> int:
        small = json.dumps([f"small {image}" for image in images])
        Path(self.folder).write_text(small)  # <- cause of thumbnails
        return len(images)

    def upload(self, _: StepContext) -> list[str]:
        path = Path(self.folder)
        if not path.exists():  # <- cause of thumbnails
            return []
        return list(json.loads(path.read_text()))  # <- cause of thumbnails

    def run(self, event: list[str], context: DurableContext) -> dict[str, Any]:
        count = context.step(partial(self.make, event), name="make thumbnails")
        context.wait(HOUR, name="wait for the quota")
        return {"made": count, "uploaded": context.step(self.upload, name="upload")}


thumbnails = durable_execution(Thumbnails().run)


# -- a folder whose name is recorded ---------------------------------------------------------------


@durable_execution
def unpack_archive(event: dict[str, str], context: DurableContext) -> list[str]:
    """Unpack into a temporary folder, and hand its name from step to step."""

    def unpack(_: StepContext) -> str:
        folder = Path(tempfile.mkdtemp(prefix="corpus-archive-"))
        for name, text in event.items():
            (folder / name).write_text(text)  # <- cause of unpack_archive
        return str(folder)

    folder = context.step(unpack, name="unpack")
    context.wait(MINUTE, name="wait for the scanner")

    def load(_: StepContext) -> list[str]:
        files = Path(folder).glob("*")
        return sorted(path.read_text() for path in files)  # <- cause of unpack_archive

    return context.step(load, name="load")


# -- a working directory ---------------------------------------------------------------------------


@durable_execution
def build_site(event: dict[str, str], context: DurableContext) -> str:
    """Change into a folder in one step, and write relative to it in another."""

    def enter(_: StepContext) -> bool:
        os.chdir(tempfile.gettempdir())  # <- cause of build_site
        return True

    def write(_: StepContext) -> str:
        return Path.cwd().name  # <- cause of build_site

    context.step(enter, name="enter the folder")
    context.wait(MINUTE, name=f"wait for {event['editor']}")
    return context.step(write, name="write the page")


@contextmanager
def same_folder() -> Iterator[None]:
    """Context manager that returns to the working directory."""
    here = Path.cwd()
    try:
        yield
    finally:
        os.chdir(here)


# -- a database file -------------------------------------------------------------------------------

DATABASE = Path(tempfile.gettempdir()) / "corpus-bookings.db"


def store_bookings(bookings: dict[str, int], _: StepContext) -> int:
    with closing(sqlite3.connect(DATABASE)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS bookings (who TEXT PRIMARY KEY, seats INT)")
        insert, rows = "INSERT OR REPLACE INTO bookings VALUES (?, ?)", list(bookings.items())
        database.executemany(insert, rows)  # <- cause of seat_plan
    return len(bookings)


def sum_seats(_: StepContext) -> int:
    with closing(sqlite3.connect(DATABASE)) as database:
        rows = database.execute("SELECT sum(seats) FROM bookings")  # <- cause of seat_plan
        (seats,) = rows.fetchone()
    return int(seats or 0)


@durable_execution
def seat_plan(event: dict[str, int], context: DurableContext) -> str:
    """Store bookings in a file, and plan the seats after the deadline."""
    context.step(partial(store_bookings, event), name="store the bookings")
    context.wait(DAY, name="wait for the deadline")
    seats = context.step(sum_seats, name="sum up the seats")
    return context.step(lambda _: f"{seats} seats", name=f"plan {seats} seats")


# -- what the body writes --------------------------------------------------------------------------

AUDIT = Path(tempfile.gettempdir()) / "corpus-audit.log"


@durable_execution
def approval_log(event: dict[str, Any], context: DurableContext) -> str:
    """Append to an audit log in the body, on every replay."""
    amount = context.step(lambda _: event["cents"] // 100, name="convert")
    with AUDIT.open("a") as log:  # <- cause of approval_log
        log.write(f"{event['who']} asked for {amount}\n")  # <- cause of approval_log
    context.wait(HOUR, name="wait for the manager")
    return context.step(lambda _: f"approved {amount}", name="approve")


CREATE_LEDGER = "CREATE TABLE IF NOT EXISTS ledger (cents INT)"
LEDGER = Path(tempfile.gettempdir()) / "corpus-ledger.db"


@durable_execution
def ledger_entry(event: dict[str, Any], context: DurableContext) -> int:
    """Insert a row in the body, on every replay."""
    cents = context.step(lambda _: event["cents"], name="convert")
    with closing(sqlite3.connect(LEDGER)) as database, database:  # <- cause of ledger_entry
        database.execute(CREATE_LEDGER)  # <- cause of ledger_entry
        database.execute("INSERT INTO ledger VALUES (?)", (cents,))  # <- cause of ledger_entry
    context.wait(HOUR, name="wait for the bank")
    context.step(lambda _: "settled", name="settle")
    return int(cents)


@durable_execution
def convert_video(event: str, context: DurableContext) -> str:
    """Start a converter in the body, on every replay."""
    source = context.step(lambda _: f"{event}.mov", name="find the source")
    command = [sys.executable, "-S", "-c", "pass", source]
    subprocess.run(command, check=True)  # <- cause of convert_video
    context.wait(MINUTE, name="wait for the upload")
    return context.step(lambda _: f"{event}.mp4", name="publish")


@durable_execution
def convert_video_in_step(event: str, context: DurableContext) -> str:
    """Start the converter in a step."""

    def convert(_: StepContext) -> str:
        subprocess.run([sys.executable, "-S", "-c", "pass", event], check=True)
        return f"{event}.mp4"

    video = context.step(convert, name="convert")
    context.wait(MINUTE, name="wait for the upload")
    return context.step(lambda _: video, name="publish")


_ROWS = [{"region": "north", "cents": 900}, {"region": "south", "cents": 700}]
_FILES = {"a.txt": "one", "b.txt": "two"}
_ON_DISK = Path(Thumbnails.folder)

CASES = (
    bad(
        Scenario(handler=monthly_report, event=_ROWS, world=partial(empty_disk, WORK)),
        "temporary file",
        *PROCESS,
    ),
    bad(
        Scenario(
            handler=thumbnails,
            event=["a", "b"],
            name="thumbnails",
            world=partial(empty_disk, _ON_DISK),
        ),
        "temporary file",
        *PROCESS,
    ),
    bad(
        Scenario(handler=unpack_archive, event=_FILES, world=partial(tidied, "corpus-archive-")),
        "temporary file",
        *PROCESS,
    ),
    bad(
        Scenario(handler=build_site, event={"editor": "Ada"}, world=same_folder),
        "working directory",
        *PROCESS,
    ),
    bad(
        Scenario(
            handler=seat_plan, event={"Ada": 2, "Bob": 1}, world=partial(empty_disk, DATABASE)
        ),
        "temporary file",
        *PROCESS,
    ),
    bad(
        Scenario(
            handler=approval_log,
            event={"who": "Ada", "cents": 9900},
            world=partial(empty_disk, AUDIT),
        ),
        "local write in the body",
        "effect-outside-step",
        *DIFFERS,
    ),
    bad(
        Scenario(handler=ledger_entry, event={"cents": 9900}, world=partial(empty_disk, LEDGER)),
        "local write in the body",
        "effect-outside-step",
        *DIFFERS,
    ),
    bad(
        Scenario(handler=convert_video, event="intro"),
        "subprocess in the body",
        "effect-outside-step",
    ),
    correct(
        Scenario(handler=monthly_report_stored, event=_ROWS, world=partial(bucket, "reports")),
        "recorded results",
    ),
    correct(Scenario(handler=convert_video_in_step, event="intro"), "effect in a step"),
)
"""Cases of files and processes."""
