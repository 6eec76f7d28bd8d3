"""What the service charges for: operations, bytes, invocations; and what that comes to in dollars.

The rules are the table "Durable operations" of the AWS Lambda pricing page and of the developer
guide; the prices are in `prices.json`, with their source and date.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    OperationAction,
    OperationSubType,
    OperationType,
    OperationUpdate,
)

OPERATIONS_PER_EXECUTION = 1
"""Charged when an execution starts; its end is free."""
OPERATIONS_PER_INVOCATION_RETRY = 1
"""Charged when an invocation failed and the service calls the handler again."""

_BYTES_PER_GB = 1024**3
_MB_PER_GB = 1024
_DAYS_PER_MONTH = 30
_MILLION = 1_000_000


def operations_charged(update: OperationUpdate, *, is_new: bool) -> int:
    """Operations charged for one update.

    A step is 1 + its retries, a poll (`wait_for_condition`) 1 + its polls, everything else 1.
    What the service itself does (a wait that ends, a callback that is answered) is free.

    Parameters:
        is_new: whether the update creates its operation.
    """
    if update.operation_type is OperationType.EXECUTION:
        return 0
    if update.action is OperationAction.START:
        return 1 if is_new else 0
    if update.operation_type is not OperationType.STEP:
        return 0
    is_poll = update.sub_type == OperationSubType.WAIT_FOR_CONDITION
    return 1 if is_poll or update.action is OperationAction.RETRY else 0


def bytes_of(payload: str | None, error: ErrorObject | None) -> int:
    """Bytes persisted for a payload, an error, or neither: UTF-8, an error as JSON."""
    size = len(payload.encode()) if payload else 0
    return size + (len(json.dumps(error.to_dict()).encode()) if error else 0)


@dataclass(frozen=True)
class Line:
    """One line of a bill.

    Parameters:
        what: what is charged for.
        quantity: how much of it one execution takes, in `unit`.
        unit_price: US dollars for one `unit`.
    """

    what: str
    quantity: float
    unit: str
    unit_price: float

    @property
    def dollars(self) -> float:
        """What one execution costs."""
        return self.quantity * self.unit_price

    @property
    def dollars_per_million(self) -> float:
        """What a million executions cost."""
        return self.dollars * _MILLION


@dataclass(frozen=True)
class Bill:
    """What one execution costs, line by line."""

    lines: tuple[Line, ...]

    @property
    def dollars(self) -> float:
        """What one execution costs in all."""
        return sum(line.dollars for line in self.lines)

    @property
    def dollars_per_million(self) -> float:
        """What a million executions cost in all."""
        return self.dollars * _MILLION


@cache
def price_list() -> dict[str, Any]:
    """The prices, with their region, source and date, and what a bill has to assume."""
    text = files("dacapo").joinpath("prices.json").read_text()
    prices: dict[str, Any] = json.loads(text)
    return prices


def bill(*, operations: int, bytes_written: int, invocations: int) -> Bill:
    """What an execution costs, with the prices and assumptions of `prices.json`.

    Only the duration of an invocation, its memory and the retention are assumed; the rest is
    what the service counts. What the handler calls (DynamoDB, say) is not part of it.

    Parameters:
        operations: operations charged.
        bytes_written: bytes that the service persisted.
        invocations: calls of the handler.
    """
    prices = price_list()
    assumed = prices["assumptions"]
    gigabytes = bytes_written / _BYTES_PER_GB
    months = assumed["retention_days"] / _DAYS_PER_MONTH
    seconds = invocations * assumed["milliseconds_per_invocation"] / 1000

    def line(what: str, quantity: float, unit: str, price: str) -> Line:
        entry = prices["prices"][price]
        return Line(what, quantity, unit, entry["dollars"] / entry["per"])

    return Bill(
        (
            line("durable operations", operations, "operations", "operation"),
            line("data written", gigabytes, "GB", "gb_written"),
            line("data retained", gigabytes * months, "GB-months", "gb_month_retained"),
            line("invocations", invocations, "requests", "request"),
            line(
                "compute (assumed)",
                seconds * assumed["memory_mb"] / _MB_PER_GB,
                "GB-seconds",
                "gb_second_arm64",
            ),
        )
    )
