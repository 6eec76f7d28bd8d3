"""A handler that hangs, or takes its process with it, is stopped and reported."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from dacapo.verify.experiments import CRASHED, EXPERIMENTS, MOVED, REWOUND
from dacapo.verify.findings import AS_SCHEDULED, Code
from dacapo.verify.report import Report
from dacapo.verify.verifier import verify
from gotchas import branch_on_chance

PATIENCE = 4.0


def loop_for_ever() -> None:
    while True:
        pass


def wait_for_nobody() -> None:
    threading.Event().wait()


def end_the_process() -> None:
    os._exit(3)


def end_the_thread() -> None:
    sys.exit("enough")


def verified(action: Callable[[], None]) -> Report:
    """What is said of a handler that does this."""

    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        action()
        context.wait(Duration.from_days(1), name="a day")

    return verify(Scenario(handler=handler), patience=PATIENCE)


@pytest.mark.parametrize("action", [loop_for_ever, wait_for_nobody])
def test_a_handler_that_hangs_is_stopped_and_the_line_is_named(action: Callable[[], None]) -> None:
    report = verified(action)
    (finding,) = report.findings
    assert (finding.code, finding.experiment) == (Code.STUCK, AS_SCHEDULED)
    assert "nothing happens for 4 s" in finding.message
    assert finding.place is not None
    assert finding.place.file == __file__
    lines = range(action.__code__.co_firstlineno, action.__code__.co_firstlineno + 4)
    assert finding.place.line in lines
    assert report.experiments[REWOUND].not_run == "the handler was stopped in 'as scheduled'"


def test_a_handler_that_ends_the_process_does_not_end_the_verifier() -> None:
    report = verified(end_the_process)
    (finding,) = report.findings
    assert (finding.code, finding.message) == (
        Code.DIED,
        "the handler ends its process, with exit status 3",
    )
    assert report.experiments[MOVED].not_run


def test_a_handler_that_ends_its_thread_fails_like_any_other() -> None:
    report = verified(end_the_thread)
    assert {finding.code for finding in report.proved} == {Code.DIED}


@durable_execution
def ends_any_other_process(_: Any, context: DurableContext) -> None:
    context.wait(Duration.from_days(1), name="a day")
    if sys.argv[0].endswith("moved.py"):
        end_the_process()


def test_a_handler_that_ends_another_process_is_found_there() -> None:
    (finding,) = verify(Scenario(handler=ends_any_other_process)).findings
    assert (finding.code, finding.experiment) == (Code.DIED, MOVED)
    assert finding.message == "replayed in another process, it ends that process"


@pytest.mark.parametrize("processes", [1, 2])
def test_what_is_found_is_the_same_in_one_process_and_in_two(processes: int) -> None:
    report = verify(branch_on_chance.breaks, processes=processes)
    assert [finding.code for finding in report.findings] == [Code.CHANCE_OUTSIDE_STEP]
    assert list(report.experiments) == list(EXPERIMENTS)
    assert all(report.experiments[name].runs for name in (CRASHED, REWOUND, MOVED))
