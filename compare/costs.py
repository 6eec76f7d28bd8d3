"""Costs in dollars, from the lab's price file, which also states the assumptions per invocation."""

from __future__ import annotations

from compare.outcome import Counts
from dacapo import metering


def _price(name: str) -> float:
    entry = metering.price_list()["prices"][name]
    return float(entry["dollars"] / entry["per"])


def of_functions_and_tables(counts: Counts) -> float:
    """Return the cost of plain function invocations and DynamoDB calls, in dollars."""
    invocations = metering.bill(operations=0, bytes_written=0, invocations=counts.invocations)
    return (
        invocations.dollars
        + counts.writes * _price("dynamodb_write")
        + counts.reads * _price("dynamodb_read")
    )


def of_state_machine(counts: Counts) -> float:
    """Return the cost of a state machine with its functions and tables, in dollars."""
    return counts.units * _price("state_transition") + of_functions_and_tables(counts)


def of_durable_function(counts: Counts) -> float:
    """Return the cost of a durable execution with its functions and tables, in dollars."""
    own = metering.bill(operations=counts.units, bytes_written=counts.payload_bytes, invocations=0)
    return own.dollars + of_functions_and_tables(counts)
