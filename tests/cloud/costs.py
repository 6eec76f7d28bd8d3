"""The cost of one run of these tests, from equivalent simulated scenarios, and of an idle stack.

`python -m tests.cloud.costs` writes it into the README beside this file.
"""

from __future__ import annotations

import logging
import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.client import BaseClient

import dacapo
from dacapo import ExternalEvent, Recording, Scenario, metering
from patterns.webhook_callback import keys
from scenarios import approval, event_callback, polling, webhook_callback
from scenarios.worlds.approval import ORDER, ORDERS, PAGE, ApprovalWorld
from scenarios.worlds.migration import MigrationWorld
from scenarios.worlds.transcription import ENDPOINT, Vendor
from tests.interference import watching

PATTERNS = Path(__file__).parents[2] / "src/patterns"
README = Path(__file__).with_name("README.md")
TABLES = re.compile(r"^\| scenario \|.*^\| \*\*total\*\* \|[^\n]*$", re.MULTILINE | re.DOTALL)
TEN_MINUTES = timedelta(minutes=10)
"""Duration of the loads in these scenarios."""

# AWS list prices, us-east-1, US dollars, 2026-11, from memory: the price pages were unavailable.
# Lambda's prices are in the lab (prices.json). The free tier is not deducted.
CALLS = {
    "PutItem": 0.625e-6,  # DynamoDB, on demand, up to 1 KB
    "UpdateItem": 0.625e-6,
    "GetItem": 0.125e-6,
    "GenerateMac": 0.03 / 10_000,  # KMS
    "GetSecretValue": 0.05 / 10_000,  # Secrets Manager
    "PutEvents": 1.00e-6,  # EventBridge, a custom event
    "SendEmail": 0.10 / 1_000,  # SES; its mailbox simulator costs the same
}
HTTP_REQUEST = 1.00e-6  # API Gateway, HTTP API
KEY_A_MONTH, SECRET_A_MONTH, ALARM_A_MONTH = 1.00, 0.40, 0.10
FREE_ALARMS = 10
SCAN = 0.125e-6  # of an almost empty table
RUNS_A_MONTH = 30 * 24 * 12
"""Runs of one function that sends overdue answers: every 5 minutes."""
BEHIND_THE_API = (PAGE, ENDPOINT)
DURABLE = ("durable operations", "data written", "data retained")
MEMORY_GB, SECONDS = 0.25, 0.1
"""Memory and duration of an invocation: as deployed, and as the lab assumes."""


def _stop(_: ApprovalWorld) -> None:
    orders = boto3.client("dynamodb")
    order = orders.get_item(TableName=ORDERS, Key={"order_id": {"S": ORDER["order_id"]}})
    execution = order["Item"]["execution"]["S"]
    boto3.client("lambda").stop_durable_execution(DurableExecutionArn=execution)


def _with(scenario: Scenario, *external_events: ExternalEvent) -> Scenario:
    return replace(scenario, external_events=external_events)


_opened = ExternalEvent(approval.ONE_MINUTE, "the reviewer opens the link", ApprovalWorld.open_link)
_stopped = ExternalEvent(approval.ONE_MINUTE, "an operator stops the execution", _stop)
_heartbeat = ExternalEvent(timedelta(minutes=1), "a heartbeat", Vendor.send_heartbeat)
_stranger = ExternalEvent(
    timedelta(minutes=1), "a stranger calls the webhook", Vendor.send_forged_answer
)

SCENARIOS = {
    "approval: accepted": approval.accepted,
    "approval: rejected": approval.rejected,
    "approval: opened, then rejected": _with(approval.rejected, _opened, approval.REJECT),
    "approval: three presses": _with(
        approval.accepted, approval.ACCEPT, approval.ACCEPT, approval.REJECT
    ),
    "approval: manual invalid answer": approval.invalid_answer_once,
    "approval: unanswered (slow)": approval.accepted_too_late,
    "approval: stopped": _with(approval.nobody_answers, _stopped),
    "approval: stopped, dead letter": _with(approval.nobody_answers, _stopped),
    "webhook: three answers": _with(
        webhook_callback.answered_soon,
        *webhook_callback.answered_twice.external_events,
        webhook_callback.answered_differently.external_events[-1],
    ),
    "webhook: heartbeat": _with(
        webhook_callback.answered_soon, _heartbeat, webhook_callback.FINISH
    ),
    "webhook: unsigned": _with(
        webhook_callback.answered_soon, _stranger, _stranger, webhook_callback.FINISH
    ),
    "webhook: malformed": webhook_callback.invalid_answer_first,
    "webhook: failure": webhook_callback.fails,
    "migration: polled, 10 minutes": _with(
        polling.finishes, ExternalEvent(TEN_MINUTES, "the load finishes", MigrationWorld.finish)
    ),
    "migration: by event, 10 minutes": _with(
        event_callback.event_on_time,
        ExternalEvent(TEN_MINUTES, "the load finishes", MigrationWorld.finish_and_notify),
    ),
}
"""One scenario per test: together, one run of all tests."""


@dataclass(frozen=True)
class Cost:
    """The billable usage of a scenario.

    Parameters:
        recording: durable operations and data, as the service counts them.
        calls: number of calls to other services, by operation.
    """

    recording: Recording
    calls: Mapping[str, int]

    @property
    def http_requests(self) -> int:
        """Number of HTTP API requests."""
        return sum(call.function in BEHIND_THE_API for call in self.recording.calls)

    @property
    def invocations(self) -> int:
        """Number of invocations of the durable function and the functions that answer it."""
        return len(self.recording.invocations) + len(self.recording.calls)

    @property
    def dollars(self) -> float:
        """Cost of one run, in US dollars."""
        lines = self.recording.bill.lines
        durable = sum(line.dollars for line in lines if line.item in DURABLE)
        others = sum(CALLS.get(name, 0) * number for name, number in self.calls.items())
        http = self.http_requests * HTTP_REQUEST
        return durable + self.invocations * invocation() + http + others


def _clients() -> list[Any]:
    modules = [module for name, module in sys.modules.items() if name.startswith("patterns.")]
    clients = [v for module in modules for v in vars(module).values() if isinstance(v, BaseClient)]
    return [*{id(client): client for client in (*clients, keys.secrets_manager)}.values()]


def cost_of(scenario: Scenario) -> Cost:
    """Run a scenario and return its cost."""
    with watching(_clients()) as calls:
        recording = dacapo.run(scenario)
    return Cost(recording, Counter(calls.names))


def invocation() -> float:
    """Return the cost of one invocation of any function: request and duration, in US dollars."""
    request, gb_second = (
        float(price["dollars"] / price["per"])
        for price in map(metering.price_list()["prices"].get, ("request", "gb_second_arm64"))
    )
    return request + SECONDS * MEMORY_GB * gb_second


def a_month() -> dict[str, float]:
    """Return the monthly cost of an idle stack, in US dollars, by item."""
    alarms, keys_in_kms = _deployed("CloudWatch::Alarm"), _deployed("KMS::Key")
    runs = RUNS_A_MONTH * _deployed("Serverless::Application")
    return {
        f"{keys_in_kms} KMS keys": keys_in_kms * KEY_A_MONTH,
        "secret": SECRET_A_MONTH,
        f"{alarms} alarms, {FREE_ALARMS} of them free": (alarms - FREE_ALARMS) * ALARM_A_MONTH,
        f"{runs} runs that look for overdue answers": runs * (invocation() + SCAN),
    }


def _deployed(kind: str) -> int:
    """Count the resources of a type, with the template that several patterns nest once for each."""
    templates = [path.read_text() for path in PATTERNS.glob("*/template.yaml")]
    nested = (PATTERNS / "callbacks/template.yaml").read_text()
    times = "".join(templates).count("Location: ../callbacks/template.yaml\n")
    everything = "".join(templates) + nested * (times - 1)
    return everything.count(f"Type: AWS::{kind}\n")


def tables() -> str:
    """Return both tables as Markdown."""
    columns = ("scenario", "operations", "bytes", "invocations", "HTTP", "mails", "US dollars")
    rows = [f"| {' | '.join(columns)} |", "| --- |" + " ---: |" * (len(columns) - 1)]
    costs = {name: cost_of(scenario) for name, scenario in SCENARIOS.items()}
    for name, cost in costs.items():
        counted = (
            cost.recording.charged_operations,
            cost.recording.bytes_written,
            cost.invocations,
            cost.http_requests,
            cost.calls.get("SendEmail", 0),
        )
        rows.append(f"| {name} | {' | '.join(map(str, counted))} | {cost.dollars:.6f} |")
    run = sum(cost.dollars for cost in costs.values())
    month = a_month()
    rows += [
        f"| **one run of all** | | | | | | **{run:.4f}** |",
        "\n| idle stack, per month | US dollars |\n| --- | ---: |",
        *(f"| {item} | {dollars:.4f} |" for item, dollars in month.items()),
        f"| **total** | **{sum(month.values()):.2f}** |",
    ]
    return "\n".join(rows)


def main() -> None:
    """Write the tables into the page."""
    logging.disable(logging.CRITICAL)
    README.write_text(TABLES.sub(lambda _: tables(), README.read_text()))


if __name__ == "__main__":
    main()
