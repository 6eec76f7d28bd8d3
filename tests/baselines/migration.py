"""Waiting for a migration: with a task token, on a schedule, and with the durable functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import dacapo
from baselines import event_callback as token
from baselines import polling as polling_baseline
from dacapo import Recording, Scenario, spell
from patterns.migration import task
from scenarios import event_callback as events
from scenarios import polling
from scenarios.worlds.migration import SIX_HOURS, TASK_ARN, MigrationWorld
from scenarios.worlds.migration_baseline import (
    BEGIN,
    CHECK,
    deliver_event,
    schedule_world,
    state_in_table,
    token_machine,
)
from scenarios.worlds.stage import on_stage
from scenarios.worlds.state_machines import Run
from tests.baselines.fault import Fault
from tests.interference import crash_at, watching

LONG, SHORT = 60, 3
"""Timeouts of the state machine, in real seconds: for an event that arrives, and for one that does
not."""
SCHEDULED = {BEGIN: polling_baseline.begin, CHECK: polling_baseline.check}
Act = Callable[[MigrationWorld], None]


def _by_token(act: Act, *, seconds: int = LONG, has_earlier_run: bool = False) -> str:
    with token_machine(has_earlier_run=has_earlier_run) as (machine, world):
        run = machine.start(task_arn=TASK_ARN, timeout_seconds=seconds)
        run.wait_until_submitted()
        act(world)
        return _report(run, world)


def _report(run: Run, world: MigrationWorld) -> str:
    status = run.wait()
    if status == "SUCCEEDED":
        return "reported as finished"
    error = run.described.get("error", "")
    if error == "MigrationUnfinished":
        return f"times out without a report; task status: {world.task.status}"
    if error == "MigrationFailed":
        return "reported as failed"
    return f"the state machine fails; task status: {world.task.status}"


def _durably(scenario: Scenario) -> str:
    recording = dacapo.run(scenario)
    late = (recording.ended or recording.started) - recording.started - SIX_HOURS
    ending = "finished" if recording.status == "SUCCEEDED" else "failed"
    return f"reported as {ending}{f', {spell(late)} late' if late else ''}"


def _finish_and_notify(world: MigrationWorld) -> None:
    world.finish()
    deliver_event()


def _notify_twice(world: MigrationWorld) -> None:
    _finish_and_notify(world)
    deliver_event()


def _notify_of_earlier_run(world: MigrationWorld) -> None:
    deliver_event(at=datetime.now(UTC) - timedelta(hours=1))
    _finish_and_notify(world)


def _stop_halfway(world: MigrationWorld) -> None:
    world.stop()
    deliver_event()


@contextmanager
def _ending_at_the_start(end: Callable[[], None]) -> Iterator[list[str]]:
    """Context manager that ends the load as soon as DMS has accepted its start."""
    ends: list[str] = []

    def visit(_: int, when: str) -> None:
        if when == "after" and calls.names[-1] == "StartReplicationTask" and not ends:
            ends.append("it")
            end()

    with watching([task.dms], visit) as calls:
        yield ends


def _token_too_late() -> str:
    with token_machine() as (machine, world):
        with _ending_at_the_start(lambda: _finish_and_notify(world)) as ends:
            run = machine.start(task_arn=TASK_ARN, timeout_seconds=SHORT)
            report = _report(run, world)
        assert ends
        return report


def _durably_at_the_start() -> str:
    worlds: list[MigrationWorld] = []
    world = events.event_lost.world

    @contextmanager
    def remembered() -> Iterator[MigrationWorld]:
        with world() as migration:
            worlds.append(migration)
            yield migration

    scenario = replace(events.event_lost, world=remembered, external_events=())

    def end() -> None:
        worlds[-1].finish_and_notify_immediately()

    with _ending_at_the_start(end) as ends:
        recording = dacapo.run(scenario)
    assert ends
    assert recording.virtual_seconds == 0
    return f"reported as {'finished' if recording.status == 'SUCCEEDED' else 'failed'}"


def _token_crashes() -> str:
    with token_machine() as (machine, world):
        with crash_at([token.dynamodb], (0, "before")) as deaths:
            run = machine.start(task_arn=TASK_ARN, timeout_seconds=LONG)
            report = _report(run, world)
        assert deaths
        return report


def _durably_crashing() -> str:
    with crash_at([task.dms], (2, "after")) as deaths:
        recording = dacapo.run(events.event_on_time)
    assert deaths
    return _starts(recording)


def _starts(recording: Recording) -> str:
    starts = recording.world.task.starts
    ending = "finished" if recording.status == "SUCCEEDED" else "failed"
    return f"started {'once' if starts == 1 else f'{starts} times'}, reported as {ending}"


def _scheduled_crashes() -> str:
    with on_stage(schedule_world, SCHEDULED) as (stage, world):
        with crash_at([task.dms], (2, "after")) as deaths:
            stage.send(BEGIN, {"task_arn": TASK_ARN})
            stage.play()
        assert deaths
        world.finish()
        stage.call(CHECK, {})
        assert world.task.starts == 1
        return (
            f"started once, table says {state_in_table()}; "
            f"{stage.dead_letters} false alarm in the dead-letter queue"
        )


FAULTS = [
    Fault(
        "none: the event arrives on time",
        partial(_by_token, _finish_and_notify),
        partial(_durably, events.event_on_time),
    ),
    Fault(
        "the event is lost",
        partial(_by_token, MigrationWorld.finish, seconds=SHORT),
        partial(_durably, events.event_lost),
    ),
    Fault("the load finishes before the token is stored", _token_too_late, _durably_at_the_start),
    Fault("the function crashes after starting the task", _token_crashes, _durably_crashing),
    Fault(
        "the event is delivered twice",
        partial(_by_token, _notify_twice),
        partial(_durably, events.event_duplicated),
    ),
    Fault(
        "the event of an earlier run arrives late",
        partial(_by_token, _notify_of_earlier_run, has_earlier_run=True),
        partial(_durably, events.event_stale),
    ),
    Fault(
        "the load is stopped halfway",
        partial(_by_token, _stop_halfway),
        partial(_durably, polling.task_stopped),
    ),
    Fault(
        "scheduled function: crashes after starting the task", _scheduled_crashes, _durably_crashing
    ),
]
