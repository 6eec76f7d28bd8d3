"""A crash between two operations moves a callback's timeout, and its row's deadline with it.

A file of its own, because it crashes at a checkpoint, which is the lab's to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from aws_durable_execution_sdk_python.lambda_service import OperationUpdate

from dacapo import ExternalEvent
from dacapo.service.client import Crash, Interference
from dacapo.service.execution import Execution
from dacapo.service.invocations import Conditions
from dacapo.simulation.runner import run_under
from scenarios import event_callback
from scenarios.worlds.migration import MigrationWorld


class CrashOnceStored(Interference):
    """Crashes the invocation once, after a step's success is stored."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.has_happened = False

    def after_store(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
        _ = execution
        is_here = any((u.name, u.action.value) == (self.step, "SUCCEED") for u in updates)
        if is_here and not self.has_happened:
            self.has_happened = True
            raise Crash("died")


def test_an_event_just_before_the_callback_times_out_finds_its_row_open() -> None:
    """The callback is created 5 s after the step before it, so it times out 5 s later, too."""
    event = ExternalEvent(
        timedelta(hours=8, seconds=2), "the load finishes", MigrationWorld.finish_and_notify
    )
    scenario = replace(event_callback.event_on_time, external_events=[event])
    crash = CrashOnceStored("record the earlier run")
    recording = run_under(Conditions(interference=crash), scenario, seed=0)
    assert crash.has_happened
    assert [call.result for call in recording.calls] == ['{"outcome": "sent"}']
    assert recording.virtual_seconds == event.after.total_seconds()
