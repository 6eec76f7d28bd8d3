"""Bodies that read from AWS, and decide by what they read."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution

from dacapo import Scenario
from dacapo.scenario.external_events import ExternalEvent
from tests.verify.corpus.aws import parameters, tables
from tests.verify.corpus.case import DIFFERS, HOUR, bad, correct

QUERY = "query-outside-step"

dynamodb = boto3.resource("dynamodb")
ssm = boto3.client("ssm")


def echo(value: Any, _: StepContext) -> Any:
    return value


@durable_execution
def ship_if_paid(event: str, context: DurableContext) -> Any:
    """Read the state of an order in the body, where it changes while the execution waits."""
    context.step(partial(echo, event), name="pack")
    item = dynamodb.Table("orders").get_item(Key={"id": event})["Item"]  # <- cause of ship_if_paid
    if item["state"] == "paid":
        context.step(partial(echo, event), name="ship")
    context.wait(HOUR, name="wait for the courier")
    return context.step(partial(echo, "done"), name="close")


def pay_the_order(_: Any) -> None:
    table = boto3.resource("dynamodb").Table("orders")
    table.put_item(Item={"id": "17", "state": "paid"})


@durable_execution
def ship_if_paid_recorded(event: str, context: DurableContext) -> Any:
    """Read the state in a step."""

    def state(_: StepContext) -> str:
        return str(dynamodb.Table("orders").get_item(Key={"id": event})["Item"]["state"])

    context.step(partial(echo, event), name="pack")
    if context.step(state, name="read the state") == "paid":
        context.step(partial(echo, event), name="ship")
    context.wait(HOUR, name="wait for the courier")
    return context.step(partial(echo, "done"), name="close")


@durable_execution
def feature_flag(event: str, context: DurableContext) -> Any:
    """Branch on a parameter that nobody changes while this runs; somebody may."""
    flag = ssm.get_parameter(Name="new-flow")["Parameter"]["Value"]  # <- cause of feature_flag
    context.wait(HOUR, name="wait for the customer")
    if flag == "on":
        return context.step(partial(echo, event), name="new flow")
    return context.step(partial(echo, event), name="old flow")


@durable_execution
def feature_flag_recorded(event: str, context: DurableContext) -> Any:
    """Read the parameter in a step."""

    def read(_: StepContext) -> str:
        return str(ssm.get_parameter(Name="new-flow")["Parameter"]["Value"])

    flag = context.step(read, name="read the flag")
    context.wait(HOUR, name="wait for the customer")
    return context.step(partial(echo, event), name="new flow" if flag == "on" else "old flow")


_ORDERS = partial(tables, orders={"id": "17", "state": "open"})
_FLAGS = partial(parameters, **{"new-flow": "on"})
_PAID = [ExternalEvent(timedelta(minutes=20), "the order is paid", pay_the_order)]

CASES = (
    bad(
        Scenario(handler=ship_if_paid, event="17", world=_ORDERS, external_events=_PAID),
        "value read from AWS",
        QUERY,
        *DIFFERS,
    ),
    bad(
        Scenario(handler=feature_flag, event="A", world=_FLAGS),
        "value read from AWS",
        QUERY,
        certainty="suspected",
    ),
    correct(
        Scenario(handler=ship_if_paid_recorded, event="17", world=_ORDERS, external_events=_PAID),
        "recorded results",
    ),
    correct(Scenario(handler=feature_flag_recorded, event="A", world=_FLAGS), "recorded results"),
)
"""Cases of values that are read from AWS."""
