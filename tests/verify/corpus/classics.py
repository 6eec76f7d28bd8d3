"""The classical mistakes, in code as it is written for production; and what lints are for."""

from __future__ import annotations

import json
import logging
import time
from datetime import timedelta
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python import (
    CallbackTimeoutError,
    DurableContext,
    StepContext,
    StepError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import (
    StepConfig,
    StepSemantics,
    WaitForCallbackConfig,
)
from aws_durable_execution_sdk_python.retries import RetryPresets
from aws_durable_execution_sdk_python.serdes import SerDes, SerDesContext

import dacapo
from dacapo import Scenario, succeed
from dacapo.scenario.answers import never
from tests.verify.corpus.case import DAY, DIFFERS, HOUR, MINUTE, ONCE, bad, correct

logger = logging.getLogger(__name__)

SWALLOWED = ("suspension-swallowed", "ended-early", "never-reached", *DIFFERS)


def echo(value: Any, _: StepContext) -> Any:
    return value


class DeclinedError(Exception):
    """The bank declined."""


# -- broad excepts and finally ---------------------------------------------------------------------


@durable_execution
def robust_import(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Import a file, and never fail, however it ends."""
    result: dict[str, Any] = {"rows": 0, "ok": False}
    try:
        result["rows"] = context.step(partial(echo, event["rows"]), name="load")
        context.wait(MINUTE, name="wait for the index")  # <- cause of robust_import
        result["ok"] = context.step(lambda _: True, name="check")
    except BaseException:  # noqa: BLE001  # <- cause of robust_import
        logger.warning("the import failed")
    context.step(partial(echo, result["ok"]), name="report")
    return result


class Saga:
    """Runs an action, and always reports."""

    def __init__(self, channel: str) -> None:
        self.channel = channel

    def handle(self, event: dict[str, Any], context: DurableContext) -> Any:
        outcome = "open"
        try:
            context.step(partial(echo, event["order"]), name="reserve")
            context.wait(HOUR, name="wait for the payment")
            outcome = "paid"
        finally:
            context.step(partial(echo, self.channel), name="report")  # <- cause of reporting_saga
        return context.step(partial(echo, outcome), name="close")


reporting_saga = durable_execution(Saga("orders").handle)


@durable_execution
def quiet_cleanup(event: str, context: DurableContext) -> Any:
    """Return from a finally, which makes the suspension vanish."""
    state = "started"
    try:
        context.step(partial(echo, event), name="start")
        context.wait(HOUR, name="wait for the job")  # <- cause of quiet_cleanup
        state = "finished"
    finally:
        return state  # noqa: B012  # <- cause of quiet_cleanup


@durable_execution
def tolerant_sync(event: list[str], context: DurableContext) -> Any:
    """Ignore every error of a source, and with it that the handler departs from its history."""
    synced = []
    for source in event:
        try:
            rows = context.step(partial(echo, len(source)), name=f"read {source}")
            stamp = time.strftime("%H:%M:%S")  # <- cause of tolerant_sync
            context.step(partial(echo, rows), name=f"store at {stamp}")  # <- cause of tolerant_sync
            synced.append(source)
        except Exception:  # noqa: BLE001  # <- cause of tolerant_sync
            logger.warning("%s is not synchronized", source)
        context.wait(MINUTE, name=f"after {source}")
    return context.step(partial(echo, synced), name="report")


@durable_execution
def robust_import_narrow(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Catch only what a step raises."""
    result: dict[str, Any] = {"rows": 0, "ok": False}
    try:
        result["rows"] = context.step(partial(echo, event["rows"]), name="load")
        context.wait(MINUTE, name="wait for the index")
        result["ok"] = context.step(lambda _: True, name="check")
    except StepError as error:
        result["error"] = str(error)
    context.step(partial(echo, result["ok"]), name="report")
    return result


# -- operations in the wrong place -----------------------------------------------------------------


@durable_execution
def nested_steps(event: list[str], context: DurableContext) -> Any:
    """Load items in steps within a step."""

    def load_all(_: StepContext) -> int:
        rows = 0
        for item in event:
            rows += context.step(lambda _: 3, name=f"load {item}")  # <- cause of nested_steps
        return rows

    total = context.step(load_all, name="load all")
    context.wait(MINUTE, name="wait for the index")
    return context.step(lambda _: total, name="count")


@durable_execution
def wrong_context(event: list[str], context: DurableContext) -> list[Any]:
    """Use the outer context in the branches of a map."""

    def branch(child: DurableContext, item: str, _: int, __: Any) -> Any:
        child.step(partial(echo, item), name="look up")
        return context.step(partial(echo, item), name=f"store {item}")  # <- cause of wrong_context

    stored: Any = context.map(event, branch, name="all").get_results()
    context.wait(MINUTE, name="wait for the index")
    return sorted(stored)


@durable_execution
def right_context(event: list[str], context: DurableContext) -> list[Any]:
    """Use the branch's own context."""

    def branch(child: DurableContext, item: str, _: int, __: Any) -> Any:
        child.step(partial(echo, item), name="look up")
        return child.step(partial(echo, item), name=f"store {item}")

    stored: Any = context.map(event, branch, name="all").get_results()
    context.wait(MINUTE, name="wait for the index")
    return sorted(stored)


# -- at most once, and errors by the wrong name ----------------------------------------------------


def transfer(cents: int, step: StepContext) -> str:
    dacapo.effect("bank:Transfer", {"cents": cents, "attempt": step.attempt})
    if step.attempt == 1:
        raise ConnectionError("the answer of the bank was lost")
    return "transferred"


@durable_execution
def pay_out(event: dict[str, Any], context: DurableContext) -> Any:
    """Pay at most once, but leave the default retries."""
    config = StepConfig(step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY)
    context.step(lambda _: "checked", name="check the account")
    try:
        body = partial(transfer, event["cents"])
        paid = context.step(body, name="pay", config=config)  # <- cause of pay_out
    except StepError:
        paid = "unclear"
    context.wait(DAY, name="wait for the statement")
    return context.step(lambda _: paid, name="book")


@durable_execution
def pay_out_once(event: dict[str, Any], context: DurableContext) -> Any:
    """Pay at most once, without retries."""
    config = StepConfig(
        step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY, retry_strategy=RetryPresets.none()
    )
    context.step(lambda _: "checked", name="check the account")
    try:
        paid = context.step(partial(transfer, event["cents"]), name="pay", config=config)
    except StepError:
        paid = "unclear"
    context.wait(DAY, name="wait for the statement")
    return context.step(lambda _: paid, name="book")


def decline(_: StepContext) -> str:
    raise DeclinedError("not enough money")


@durable_execution
def credit_check(event: str, context: DurableContext) -> Any:
    """Catch an error by its class, which the SDK does not keep."""
    try:
        return context.step(decline, name="check the credit", config=ONCE)
    except DeclinedError:  # <- cause of credit_check
        return context.step(partial(echo, f"{event} pays cash"), name="offer cash")
    except StepError as error:
        return str(error)


@durable_execution
def signature(event: str, context: DurableContext) -> Any:
    """Wait for a signature for a day, and remind on Python's own TimeoutError."""
    config = WaitForCallbackConfig(timeout=DAY)
    try:
        return context.wait_for_callback(lambda *_: None, name="signature", config=config)
    except TimeoutError:  # <- cause of signature
        return context.step(partial(echo, event), name="remind")


@durable_execution
def signature_expires(event: str, context: DurableContext) -> Any:
    """Catch the SDK's timeout."""
    config = WaitForCallbackConfig(timeout=DAY)
    try:
        return context.wait_for_callback(lambda *_: None, name="signature", config=config)
    except CallbackTimeoutError:
        return str(context.step(partial(echo, f"remind {event}"), name="remind"))


# -- lints -----------------------------------------------------------------------------------------


@durable_execution
def manager_approval(event: str, context: DurableContext) -> Any:
    """Wait for a manager without any timeout."""
    context.step(partial(echo, event), name="prepare")
    ask: Any = lambda *_: None  # noqa: E731
    answer = context.wait_for_callback(ask, name="approval")  # <- cause of manager_approval
    return context.step(lambda _: f"{event}: {answer}", name="file")


@durable_execution
def unnamed_steps(event: dict[str, int], context: DurableContext) -> Any:
    """Leave a step without a name."""
    net = context.step(lambda _: event["cents"])  # <- cause of unnamed_steps
    context.wait(MINUTE, name="wait for the rate")
    return context.step(lambda _: net * 119 // 100, name="add tax")


class Rounded(SerDes[Any]):
    """Stores numbers with two decimals."""

    def serialize(self, value: Any, _: SerDesContext) -> str:
        return json.dumps(round(value, 2))

    def deserialize(self, data: str, _: SerDesContext) -> Any:
        return json.loads(data)


def divide(euros: float, _: StepContext) -> float:
    return euros / 7


@durable_execution
def interest(event: dict[str, float], context: DurableContext) -> Any:
    """Store interest with a serializer that rounds."""
    config = StepConfig(serdes=Rounded())
    seventh = partial(divide, event["euros"])
    rate = context.step(seventh, name="compute", config=config)  # <- cause of interest
    context.wait(HOUR, name="wait for the statement")
    return context.step(lambda _: f"{rate:.2f}", name="book")


@durable_execution
def throttled_calls(event: list[str], context: DurableContext) -> Any:
    """Sleep in the body between calls, and pay for it."""
    for item in event:
        context.step(partial(echo, item), name=f"call {item}")
        time.sleep(20)  # <- cause of throttled_calls
    context.wait(MINUTE, name="wait for the results")
    return context.step(partial(echo, len(event)), name="count") or 0


_ANSWER = succeed(raw=b"yes", after=timedelta(hours=2))

CASES = (
    bad(Scenario(handler=robust_import, event={"rows": 9}), "swallowed suspension", *SWALLOWED),
    bad(
        Scenario(handler=reporting_saga, event={"order": "17"}, name="reporting_saga"),
        "operation in finally",
        *SWALLOWED,
    ),
    bad(Scenario(handler=quiet_cleanup, event="17"), "swallowed suspension", *SWALLOWED),
    bad(
        Scenario(handler=tolerant_sync, event=["a", "b"]),
        "swallowed divergence",
        "divergence-swallowed",
        "clock-outside-step",
        *DIFFERS,
    ),
    bad(
        Scenario(handler=nested_steps, event=["a", "b"]), "operation in a step", "operation-in-step"
    ),
    bad(
        Scenario(handler=wrong_context, event=["a", "b"]), "context of the parent", "parent-context"
    ),
    bad(
        Scenario(handler=pay_out, event={"cents": 900}),
        "at most once",
        "ran-twice",
        "effect-repeated",
    ),
    bad(Scenario(handler=credit_check, event="Ada"), "wrong except", "never-caught"),
    bad(
        Scenario(handler=signature, event="Ada", answers={"signature": never()}),
        "wrong except",
        "never-caught",
    ),
    bad(
        Scenario(handler=manager_approval, event="17", answers={"approval": _ANSWER}),
        "wait without a bound",
        "unbounded-wait",
        certainty="lint",
    ),
    bad(
        Scenario(handler=unnamed_steps, event={"cents": 900}),
        "operation without a name",
        "unnamed-operation",
        certainty="lint",
    ),
    bad(
        Scenario(handler=interest, event={"euros": 10.0}),
        "lossy serializer",
        "changed-by-serdes",
        certainty="lint",
    ),
    bad(
        Scenario(handler=throttled_calls, event=["a", "b"]),
        "sleep in the body",
        "sleep-outside-step",
        certainty="lint",
    ),
    correct(Scenario(handler=robust_import_narrow, event={"rows": 9}), "errors handled"),
    correct(Scenario(handler=right_context, event=["a", "b"]), "errors handled"),
    correct(Scenario(handler=pay_out_once, event={"cents": 900}), "errors handled"),
    correct(
        Scenario(handler=signature_expires, event="Ada", answers={"signature": never()}),
        "errors handled",
    ),
)
"""Cases of the classical mistakes."""
