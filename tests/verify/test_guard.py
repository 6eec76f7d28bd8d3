"""A handler that hangs or ends its process is stopped and reported."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import HandlerStuck, Scenario
from dacapo.verify.findings import Certainty, Code, ExperimentName, ExperimentState, Report
from dacapo.verify.verifier import verify
from gotchas import branch_on_chance
from tests.depth import every
from tests.verify.quick import QUICK

PATIENCE = 4.0


def loop_forever() -> None:
    while True:
        pass


def wait_forever() -> None:
    threading.Event().wait()


def end_the_process() -> None:
    os._exit(3)


def end_the_thread() -> None:
    sys.exit("enough")


def verified(action: Callable[[], None]) -> Report:
    """Verify a handler that does this."""

    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        action()
        context.wait(Duration.from_days(1), name="a day")

    return verify(Scenario(handler=handler), patience=PATIENCE, only=QUICK)


@pytest.mark.prove
def test_a_handler_that_hangs_is_stopped_and_its_line_named() -> None:
    first = loop_forever.__code__.co_firstlineno
    with pytest.raises(HandlerStuck, match="nothing happens for 4 s") as stuck:
        verified(loop_forever)
    assert any(f"test_guard.py:{first + n}:" in str(stuck.value) for n in range(4))


def test_a_handler_that_waits_forever_times_out_which_is_suspected() -> None:
    report = verified(wait_forever)
    (finding,) = report.findings
    assert (finding.code, finding.certainty) == (Code.INVOCATION_TIMED_OUT, Certainty.SUSPECTED)
    assert report.experiments[ExperimentName.SUSPENDED].skipped


def test_a_handler_that_ends_the_process_does_not_end_the_verifier() -> None:
    report = verified(end_the_process)
    (finding,) = report.findings
    assert (finding.code, finding.certainty) == (Code.DIED, Certainty.PROVED)
    assert finding.message.endswith(
        "5 invocations end outside every step: Runtime exited with error: exit status 3"
    )


def test_a_handler_that_ends_its_thread_is_proved_to_fail() -> None:
    report = verified(end_the_thread)
    assert {finding.code for finding in report.proved} == {Code.DIED}


@durable_execution
def ends_another_process(_: Any, context: DurableContext) -> None:
    context.wait(Duration.from_days(1), name="a day")
    if os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME"):
        end_the_process()


@pytest.mark.prove
def test_a_handler_that_ends_its_sandbox_is_reported_by_that_experiment() -> None:
    report = verify(Scenario(handler=ends_another_process))
    cold = report.experiments[ExperimentName.COLD]
    assert cold.state is ExperimentState.LEFT_OUT
    assert "it ends with FAILED, Runtime.ExitError" in cold.reason
    assert report.verdict == "not verified"


@pytest.mark.parametrize("processes", every(0, [2, 1]))
def test_the_number_of_processes_does_not_change_the_findings(processes: int) -> None:
    report = verify(branch_on_chance.breaks, processes=processes)
    assert [finding.code for finding in report.proved] == [Code.RANDOMNESS_OUTSIDE_STEP]
    assert list(report.experiments) == list(ExperimentName)
    assert all(
        report.experiments[name].runs
        for name in (ExperimentName.CRASHED, ExperimentName.REPLAYED, ExperimentName.COLD)
    )
