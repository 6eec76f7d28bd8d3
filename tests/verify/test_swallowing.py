"""A suspension that a handler swallows is reported at the line that swallows it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from inspect import getsourcelines
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from dacapo.verify.findings import Certainty, Code, ExperimentName
from dacapo.verify.verifier import verify

logger = logging.getLogger(__name__)
A_DAY = Duration.from_days(1)
Body = Callable[[DurableContext], None]


def record(_: StepContext) -> None:
    """Record nothing, as a step."""


def goes_on_after_the_except(context: DurableContext) -> None:
    try:
        context.wait(A_DAY, name="a day")
    except BaseException as error:  # noqa: BLE001  # <- here
        logger.info("ignored: %s", error)
    context.step(record, name="record")


def goes_round_in_a_loop(context: DurableContext) -> None:
    for _ in range(2):
        try:
            context.step(record, name="record")
            context.wait(A_DAY, name="a day")
        except:  # noqa: E722  # <- here
            continue


def suppresses_it(context: DurableContext) -> None:
    with suppress(BaseException):  # <- here
        context.wait(A_DAY, name="a day")
    context.step(record, name="record")


def raises_again_later(context: DurableContext) -> None:
    with suppress(BaseException):  # <- here
        context.wait(A_DAY, name="a day")
    try:
        context.step(record, name="record")
    except BaseException:
        raise
    context.step(record, name="record again")


def acts_in_the_except(context: DurableContext) -> None:
    try:
        context.wait(A_DAY, name="a day")
    except BaseException:
        context.step(record, name="record")  # <- here
        raise


def acts_in_the_finally(context: DurableContext) -> None:
    try:
        context.wait(A_DAY, name="a day")
    finally:
        context.step(record, name="record")  # <- here


def catches_in_a_helper(context: DurableContext) -> None:
    goes_on_after_the_except(context)


def marked(body: Body) -> int:
    lines, first = getsourcelines(body)
    return next(first + number for number, line in enumerate(lines) if line.endswith("# <- here\n"))


SWALLOWING = (
    *(goes_on_after_the_except, goes_round_in_a_loop, raises_again_later, suppresses_it),
    *(acts_in_the_except, acts_in_the_finally),
)


@pytest.mark.parametrize("body", SWALLOWING, ids=lambda body: body.__name__)
def test_the_line_that_swallows_a_suspension_is_named(body: Body) -> None:
    assert place_of_the_first_finding(body) == (__file__, marked(body))


def test_an_except_in_a_helper_is_named_there() -> None:
    place = place_of_the_first_finding(catches_in_a_helper)
    assert place == (__file__, marked(goes_on_after_the_except))


def place_of_the_first_finding(body: Body) -> tuple[str, int] | None:
    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        body(context)

    report = verify(Scenario(handler=handler), only=[ExperimentName.REPLAYED])
    first, *_ = report.findings
    assert (first.code, first.certainty) == (Code.SUSPENSION_SWALLOWED, Certainty.PROVED)
    return (first.place.file, first.place.line) if first.place else None
