"""Dollars, from the price file of the lab; what is assumed of an invocation is in there too."""

from __future__ import annotations

from compare.outcome import Counts
from dacapo import metering


def _price(name: str) -> float:
    entry = metering.price_list()["prices"][name]
    return float(entry["dollars"] / entry["per"])


def of_functions_and_tables(counts: Counts) -> float:
    """What the invocations of plain functions and the calls of DynamoDB cost."""
    invocations = metering.bill(operations=0, bytes_written=0, invocations=counts.invocations)
    return (
        invocations.dollars
        + counts.writes * _price("dynamodb_write")
        + counts.reads * _price("dynamodb_read")
    )


def of_state_machine(counts: Counts) -> float:
    """What a state machine costs, with the functions and tables that it needs."""
    return counts.units * _price("state_transition") + of_functions_and_tables(counts)


def of_durable_function(counts: Counts) -> float:
    """What a durable execution costs, with the functions and tables that it needs."""
    own = metering.bill(operations=counts.units, bytes_written=counts.payload_bytes, invocations=0)
    return own.dollars + of_functions_and_tables(counts)
