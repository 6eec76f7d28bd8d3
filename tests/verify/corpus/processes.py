"""State in a process that is not a plain variable: environment, databases, clients, files."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, TextIO
from unittest.mock import patch

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution

from dacapo import Scenario
from tests.verify.corpus.aws import tables
from tests.verify.corpus.case import HOUR, MINUTE, PROCESS, bad, correct

# -- the environment -------------------------------------------------------------------------------


@contextmanager
def same_environment() -> Iterator[None]:
    """Context manager that restores the environment of the process."""
    with patch.dict(os.environ):
        yield


def export_for(defaults: dict[str, str], event: dict[str, Any], context: DurableContext) -> str:
    """Select the tenant's region for the libraries, and export."""

    def select(_: StepContext) -> str:
        os.environ["EXPORT_REGION"] = event["region"]  # <- cause of tenant_export
        return "selected"

    def export(_: StepContext) -> str:
        region = os.environ.get("EXPORT_REGION", defaults["region"])  # <- cause of tenant_export
        return f"exported from {region}"

    context.step(select, name="select the region")
    context.wait(HOUR, name="wait for the night")
    return context.step(export, name="export")


tenant_export = durable_execution(partial(export_for, {"region": "us-east-1"}))


# -- a database in memory --------------------------------------------------------------------------

_database = sqlite3.connect(":memory:", check_same_thread=False)
_database.execute("CREATE TABLE IF NOT EXISTS leads (name TEXT PRIMARY KEY, score INTEGER)")


@durable_execution
def lead_scoring(event: dict[str, int], context: DurableContext) -> list[str]:
    """Store leads, and call the best two an hour later."""

    def store(_: StepContext) -> int:
        rows = list(event.items())
        insert = "INSERT OR REPLACE INTO leads VALUES (?, ?)"
        _database.executemany(insert, rows)  # <- cause of lead_scoring
        return len(rows)

    def best(_: StepContext) -> list[str]:
        query = "SELECT name FROM leads ORDER BY score DESC LIMIT 2"
        return [name for (name,) in _database.execute(query)]  # <- cause of lead_scoring

    context.step(store, name="store the leads")
    context.wait(HOUR, name="wait for more")
    return context.step(best, name="choose the best")


# -- variables of a thread or a context ------------------------------------------------------------

_local = threading.local()
_tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


@durable_execution
def audit_trail(event: dict[str, Any], context: DurableContext) -> list[str]:
    """Keep the user of a request in a variable of the thread."""

    def authenticate(_: StepContext) -> bool:
        _local.user = event["user"].lower()  # <- cause of audit_trail
        return True

    def write(_: StepContext) -> str:
        return f"changed by {getattr(_local, 'user', 'unknown')}"  # <- cause of audit_trail

    context.step(authenticate, name="authenticate")
    context.wait(MINUTE, name="wait for approval")
    return [context.step(write, name="write the trail")]


@durable_execution
def tenant_report(event: dict[str, Any], context: DurableContext) -> str:
    """Keep the tenant in a context variable, and name the report after it."""

    def find(_: StepContext) -> bool:
        _tenant.set(f"tenant-{event['account'] % 10}")  # <- cause of tenant_report
        return True

    context.step(find, name="find the tenant")
    context.wait(HOUR, name="wait for the figures")
    tenant = _tenant.get()  # <- cause of tenant_report
    text = f"report of {tenant}"
    return context.step(lambda _: text, name=f"report {tenant}")  # <- cause of tenant_report


@durable_execution
def tenant_report_recorded(event: dict[str, Any], context: DurableContext) -> str:
    """Return the tenant from the step, and set the variable in the body for the libraries."""
    tenant = context.step(lambda _: f"tenant-{event['account'] % 10}", name="find the tenant")
    _tenant.set(tenant)
    context.wait(HOUR, name="wait for the figures")
    return context.step(lambda _: f"report of {_tenant.get()}", name=f"report {tenant}")


# -- open clients and files ------------------------------------------------------------------------

_table: Any = None
_journal: TextIO | None = None


@durable_execution
def stock_update(event: dict[str, int], context: DurableContext) -> str:
    """Connect to the table, and write the stock after a wait."""

    def connect(_: StepContext) -> str:
        global _table  # noqa: PLW0603 - as people write it
        _table = boto3.resource("dynamodb").Table("stock")  # <- cause of stock_update
        return "connected"

    def write(_: StepContext) -> str:
        for item, pieces in event.items():
            _table.put_item(Item={"id": item, "pieces": pieces})  # <- cause of stock_update
        return "written"

    context.step(connect, name="connect")
    context.wait(MINUTE, name="wait for the count")
    return context.step(write, name="write the stock")


@durable_execution
def stock_update_connected(event: dict[str, int], context: DurableContext) -> str:
    """Connect where it is used, and reuse the client of a warm process."""

    def write(_: StepContext) -> str:
        for item, pieces in event.items():
            stock_table().put_item(Item={"id": item, "pieces": pieces})
        return "written"

    context.step(lambda _: sorted(event), name="plan")
    context.wait(MINUTE, name="wait for the count")
    return context.step(write, name="write the stock")


def stock_table() -> Any:
    global _table  # noqa: PLW0603 - as people write it
    if _table is None:
        _table = boto3.resource("dynamodb").Table("stock")
    return _table


@durable_execution
def journal(event: list[str], context: DurableContext) -> int:
    """Open a journal in the first step, and append to it in the others."""

    def open_journal(_: StepContext) -> bool:
        global _journal  # noqa: PLW0603 - as people write it
        _journal = Path(os.devnull).open("w")  # noqa: SIM115  # <- cause of journal
        return True

    def append(entry: str, _: StepContext) -> int:
        return _journal.write(entry) if _journal else -1  # <- cause of journal

    context.step(open_journal, name="open the journal")
    written = 0
    for number, entry in enumerate(event):
        context.wait(MINUTE, name=f"before entry {number}")
        written += context.step(partial(append, entry), name=f"append entry {number}")
    return written


@contextmanager
def closed_journal() -> Iterator[None]:
    """Context manager that closes the journal afterward."""
    global _journal  # noqa: PLW0603
    _journal = None
    try:
        yield
    finally:
        if _journal is not None:
            _journal.close()
            _journal = None


_STOCK = {"tea": 40, "milk": 7}

CASES = (
    bad(
        Scenario(
            handler=tenant_export,
            event={"region": "eu-west-1"},
            name="tenant_export",
            world=same_environment,
        ),
        "environment written",
        *PROCESS,
    ),
    bad(
        Scenario(handler=lead_scoring, event={"Ada": 9, "Bob": 2, "Cyd": 5}),
        "database in memory",
        *PROCESS,
    ),
    bad(
        Scenario(handler=audit_trail, event={"user": "ADA"}), "thread or context variable", *PROCESS
    ),
    bad(
        Scenario(handler=tenant_report, event={"account": 47}),
        "thread or context variable",
        *PROCESS,
    ),
    bad(
        Scenario(handler=stock_update, event=_STOCK, world=partial(tables, "stock")),
        "open client",
        *PROCESS,
    ),
    bad(
        Scenario(handler=journal, event=["opened", "closed"], world=closed_journal),
        "open client",
        *PROCESS,
    ),
    correct(Scenario(handler=tenant_report_recorded, event={"account": 47}), "recorded results"),
    correct(
        Scenario(handler=stock_update_connected, event=_STOCK, world=partial(tables, "stock")),
        "cache that only saves time",
    ),
)
"""Cases of what a process holds open."""
