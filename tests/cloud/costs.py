"""What a run of these tests costs, by the simulated twins of its stories, and what stands by.

Printed by `python -m tests.cloud.costs`, as Markdown.
"""

from __future__ import annotations

import logging
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
from dacapo import Happening, Scenario, metering
from dacapo.recording import Recording
from patterns.webhook_callback import keys
from scenarios import approval, event_callback, polling, webhook_callback
from scenarios.worlds.migration import MigrationWorld
from scenarios.worlds.restaurant import ORDER, ORDERS, PAGE, Restaurant
from scenarios.worlds.transcription import ENDPOINT, Agency
from tests.interference import watching

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
TEN_MINUTES = timedelta(minutes=10)
"""How long the loads of these stories take."""

# List prices of AWS, us-east-1, US dollars, 2026-11, as remembered: the price pages were out of
# reach. Those of Lambda are the lab's (prices.json). No free tier is taken off.
CALLS = {
    "PutItem": 0.625e-6,  # DynamoDB, on demand, up to 1 KB
    "UpdateItem": 0.625e-6,
    "GetItem": 0.125e-6,
    "GenerateMac": 0.03 / 10_000,  # KMS
    "GetSecretValue": 0.05 / 10_000,  # Secrets Manager
    "PutEvents": 1.00e-6,  # EventBridge, an event of one's own
    "SendEmail": 0.10 / 1_000,  # SES; its mailbox simulator costs as much
}
HTTP_REQUEST = 1.00e-6  # API Gateway, HTTP API
KEY_A_MONTH, SECRET_A_MONTH, ALARM_A_MONTH = 1.00, 0.40, 0.10
FREE_ALARMS = 10
SCAN = 0.125e-6  # of a table that is all but empty
COUNTS_A_MONTH = 30 * 24 * 4
BEHIND_THE_API = (PAGE, ENDPOINT)
DURABLE = ("durable operations", "data written", "data retained")
MEMORY_GB, SECONDS = 0.25, 0.1
"""Of an invocation: as deployed, and as the lab assumes."""


def _stop(_: Restaurant) -> None:
    orders = boto3.client("dynamodb")
    order = orders.get_item(TableName=ORDERS, Key={"order_id": {"S": ORDER["order_id"]}})
    execution = order["Item"]["execution"]["S"]
    boto3.client("lambda").stop_durable_execution(DurableExecutionArn=execution)


def _with(story: Scenario, *happenings: Happening) -> Scenario:
    return replace(story, happenings=happenings)


_fetched = Happening(approval.ONE_MINUTE, "the link is opened", Restaurant.fetch)
_stopped = Happening(approval.ONE_MINUTE, "it is stopped", _stop)
_alive = Happening(timedelta(minutes=1), "a sign of life", Agency.give_sign_of_life)
_stranger = Happening(timedelta(minutes=1), "a stranger calls", Agency.be_impersonated)

STORIES = {
    "approval: accepted": approval.accepted,
    "approval: rejected": approval.rejected,
    "approval: opened, then rejected": _with(approval.rejected, _fetched, approval.REJECT),
    "approval: three presses": _with(
        approval.accepted, approval.ACCEPT, approval.ACCEPT, approval.REJECT
    ),
    "approval: nonsense by hand": approval.answered_with_nonsense_once,
    "approval: nobody answers (slow)": approval.accepted_too_late,
    "approval: stopped": _with(approval.nobody_answers, _stopped),
    "approval: stopped, its letter": _with(approval.nobody_answers, _stopped),
    "webhook: three answers": _with(
        webhook_callback.answered_soon,
        *webhook_callback.answered_twice.happenings,
        webhook_callback.answered_otherwise.happenings[-1],
    ),
    "webhook: a sign of life": _with(
        webhook_callback.answered_soon, _alive, webhook_callback.FINISH
    ),
    "webhook: not signed": _with(
        webhook_callback.answered_soon, _stranger, _stranger, webhook_callback.FINISH
    ),
    "webhook: not as documented": webhook_callback.answered_badly_first,
    "webhook: a failure": webhook_callback.fails,
    "migration: polled, 10 minutes": _with(
        polling.finishes, Happening(TEN_MINUTES, "the load finishes", MigrationWorld.finish)
    ),
    "migration: its event, 10 minutes": _with(
        event_callback.event_on_time,
        Happening(TEN_MINUTES, "the load finishes", MigrationWorld.finish_and_tell),
    ),
}
"""By what each test does; together they are one run of all of them."""


@dataclass(frozen=True)
class Cost:
    """What a story takes, as the service counts it, and what else is charged for."""

    recording: Recording
    calls: Mapping[str, int]

    @property
    def http_requests(self) -> int:
        """Requests of the HTTP API."""
        return sum(call.function in BEHIND_THE_API for call in self.recording.calls)

    @property
    def invocations(self) -> int:
        """Of the durable function, and of those that bring it answers."""
        return len(self.recording.invocations) + len(self.recording.calls)

    @property
    def dollars(self) -> float:
        """What it costs once."""
        lines = self.recording.bill.lines
        durable = sum(line.dollars for line in lines if line.what in DURABLE)
        others = sum(CALLS.get(name, 0) * number for name, number in self.calls.items())
        http = self.http_requests * HTTP_REQUEST
        return durable + self.invocations * invocation() + http + others


def _clients() -> list[Any]:
    modules = [module for name, module in sys.modules.items() if name.startswith("patterns.")]
    made = [v for module in modules for v in vars(module).values() if isinstance(v, BaseClient)]
    return [*{id(client): client for client in (*made, keys.provider.client)}.values()]


def cost_of(story: Scenario) -> Cost:
    """Run a story, and count."""
    with watching(_clients()) as calls:
        recording = dacapo.run(story)
    return Cost(recording, Counter(calls.made))


def invocation() -> float:
    """What an invocation costs, whatever it is of: the request and the time."""
    request, gb_second = (
        float(price["dollars"] / price["per"])
        for price in map(metering.price_list()["prices"].get, ("request", "gb_second_arm64"))
    )
    return request + SECONDS * MEMORY_GB * gb_second


def a_month() -> dict[str, float]:
    """What a stack costs in which nothing happens."""
    alarms = TEMPLATE.read_text().count("Type: AWS::CloudWatch::Alarm\n")
    return {
        "the key in KMS": KEY_A_MONTH,
        "the secret": SECRET_A_MONTH,
        f"{alarms} alarms, {FREE_ALARMS} of them free": (alarms - FREE_ALARMS) * ALARM_A_MONTH,
        f"{COUNTS_A_MONTH} counts of overdue answers": COUNTS_A_MONTH * (invocation() + SCAN),
    }


def main() -> None:
    """Print the table."""
    logging.disable(logging.CRITICAL)
    columns = ("story", "operations", "bytes", "invocations", "HTTP", "mails", "US dollars")
    rows = [f"| {' | '.join(columns)} |", "| --- |" + " ---: |" * (len(columns) - 1)]
    costs = {name: cost_of(story) for name, story in STORIES.items()}
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
        "\n| in a month in which nothing happens | US dollars |\n| --- | ---: |",
        *(f"| {what} | {dollars:.4f} |" for what, dollars in month.items()),
        f"| **a month** | **{sum(month.values()):.2f}** |",
    ]
    print("\n".join(rows))  # noqa: T201


if __name__ == "__main__":
    main()
