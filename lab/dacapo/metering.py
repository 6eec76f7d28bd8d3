"""Metering and pricing: the operations, bytes and invocations that AWS charges, and their cost.

The rules are in the table "Durable operations" of the AWS Lambda pricing page and of the developer
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
"""Operations charged when an execution starts; its end is free."""
OPERATIONS_PER_INVOCATION_RETRY = 1
"""Operations charged when the service retries a failed invocation."""

_BYTES_PER_GB = 1024**3
_MB_PER_GB = 1024
_DAYS_PER_MONTH = 30
_MILLION = 1_000_000


def operations_charged(update: OperationUpdate, *, is_new: bool) -> int:
    """Return the operations charged for one update.

    A step is charged 1 + its retries, a `wait_for_condition` 1 + its polls, everything else 1.
    Changes by the service itself (a wait that elapses, a callback that is answered) are free.

    Parameters:
        update: the checkpoint.
        is_new: whether the update creates its operation.
    """
    if update.operation_type is OperationType.EXECUTION:
        return 0
    if update.action is OperationAction.START or update.operation_type is not OperationType.STEP:
        return int(is_new)
    is_poll = update.sub_type == OperationSubType.WAIT_FOR_CONDITION
    return is_new + (is_poll or update.action is OperationAction.RETRY)


def bytes_of(payload: str | None, error: ErrorObject | None) -> int:
    """Return the bytes stored for a payload in UTF-8, an error as JSON, or neither."""
    size = len(payload.encode()) if payload else 0
    return size + (len(json.dumps(error.to_dict()).encode()) if error else 0)


@dataclass(frozen=True)
class Line:
    """One line of a bill.

    Parameters:
        item: the charged item.
        quantity: quantity for one execution, in `unit`.
        unit: the unit of the price.
        unit_price: US dollars for one `unit`.
    """

    item: str
    quantity: float
    unit: str
    unit_price: float

    @property
    def dollars(self) -> float:
        """The cost of one execution."""
        return self.quantity * self.unit_price

    @property
    def dollars_per_million(self) -> float:
        """The cost of a million executions."""
        return self.dollars * _MILLION


@dataclass(frozen=True)
class Bill:
    """The cost of one execution, line by line."""

    lines: tuple[Line, ...]

    @property
    def dollars(self) -> float:
        """The total cost of one execution."""
        return sum(line.dollars for line in self.lines)

    @property
    def dollars_per_million(self) -> float:
        """The total cost of a million executions."""
        return self.dollars * _MILLION


@cache
def price_list() -> dict[str, Any]:
    """Return the prices, with their region, source and date, and the assumptions of a bill."""
    text = files("dacapo").joinpath("prices.json").read_text()
    prices: dict[str, Any] = json.loads(text)
    return prices


def bill(*, operations: int, bytes_written: int, invocations: int) -> Bill:
    """Return the bill of an execution, with the prices and assumptions of `prices.json`.

    Only the duration of an invocation, its memory and the retention are assumed; the service counts
    the rest. Services that the handler calls (DynamoDB, for example) are not included.

    Parameters:
        operations: operations charged.
        bytes_written: bytes that the service stored.
        invocations: invocations of the handler.
    """
    prices = price_list()
    assumed = prices["assumptions"]
    gigabytes = bytes_written / _BYTES_PER_GB
    months = assumed["retention_days"] / _DAYS_PER_MONTH
    seconds = invocations * assumed["milliseconds_per_invocation"] / 1000

    def line(item: str, quantity: float, unit: str, price: str) -> Line:
        entry = prices["prices"][price]
        return Line(item, quantity, unit, entry["dollars"] / entry["per"])

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
