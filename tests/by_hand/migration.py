"""A migration waited for by a task token or on a schedule, and by the durable functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import dacapo
from dacapo import Recording, Scenario
from dacapo.report.durations import spell
from patterns.event_callback import before as token
from patterns.migration import task
from patterns.polling import before as scheduled
from scenarios import event_callback as events
from scenarios import polling
from scenarios.worlds.migration import TASK_ARN, MigrationWorld
from scenarios.worlds.migration_before import (
    BEGIN,
    LOOK,
    bring_event,
    schedule_world,
    state_in_table,
    token_machine,
)
from scenarios.worlds.stage import on_stage
from scenarios.worlds.state_machines import Run
from tests.by_hand.fault import Fault
from tests.interference import dying_at, watching

LONG, SHORT = 60, 3
"""Seconds, in real time, for which the state machine waits here: for what comes, and for what
never does."""
SCHEDULED = {BEGIN: scheduled.begin, LOOK: scheduled.look}
Play = Callable[[MigrationWorld], None]


def _by_token(play: Play, *, seconds: int = LONG, ran_before: bool = False) -> str:
    with token_machine(ran_before=ran_before) as (machine, world):
        run = machine.start(task_arn=TASK_ARN, timeout_seconds=seconds)
        run.wait_until_submitted()
        play(world)
        return _told(run, world)


def _told(run: Run, world: MigrationWorld) -> str:
    status = run.wait()
    if status == "SUCCEEDED":
        return "told that it finished"
    error = run.described.get("error", "")
    if error == "MigrationUnfinished":
        return f"never told: gives up at its timeout, the task is {world.task.status}"
    if error == "MigrationFailed":
        return "told that it failed"
    return f"the state machine fails, the task is {world.task.status}"


def _durably(story: Scenario) -> str:
    recording = dacapo.run(story)
    late = (recording.ended or recording.started) - recording.started - events.SIX_HOURS
    what = "finished" if recording.status == "SUCCEEDED" else "failed"
    return f"told that it {what}{f', {spell(late)} late' if late else ''}"


def _finish_and_tell(world: MigrationWorld) -> None:
    world.finish()
    bring_event()


def _tell_twice(world: MigrationWorld) -> None:
    _finish_and_tell(world)
    bring_event()


def _tell_of_earlier_run(world: MigrationWorld) -> None:
    bring_event(at=datetime.now(UTC) - timedelta(hours=1))
    _finish_and_tell(world)


def _stop_half_way(world: MigrationWorld) -> None:
    world.be_stopped()
    bring_event()


@contextmanager
def _ending_at_the_start(end: Callable[[], None]) -> Iterator[list[str]]:
    """The load ends, and says so, as soon as DMS has taken its start."""
    ended: list[str] = []

    def visit(_: int, when: str) -> None:
        if when == "after" and calls.made[-1] == "StartReplicationTask" and not ended:
            ended.append("it")
            end()

    with watching([task.dms], visit) as calls:
        yield ended


def _token_too_late() -> str:
    with token_machine() as (machine, world):
        with _ending_at_the_start(lambda: _finish_and_tell(world)) as ended:
            run = machine.start(task_arn=TASK_ARN, timeout_seconds=SHORT)
            told = _told(run, world)
        assert ended
        return told


def _durably_at_the_start() -> str:
    worlds: list[MigrationWorld] = []
    world = events.event_lost.world

    @contextmanager
    def remembered() -> Iterator[MigrationWorld]:
        with world() as made:
            worlds.append(made)
            yield made

    story = replace(events.event_lost, world=remembered, happenings=())

    def end() -> None:
        worlds[-1].finish_and_tell_at_once()

    with _ending_at_the_start(end) as ended:
        recording = dacapo.run(story)
    assert ended
    assert recording.virtual_seconds == 0
    return f"told that it {'finished' if recording.status == 'SUCCEEDED' else 'failed'}"


def _token_dies() -> str:
    with token_machine() as (machine, world):
        with dying_at([token.dynamodb], (0, "before")) as died:
            run = machine.start(task_arn=TASK_ARN, timeout_seconds=LONG)
            told = _told(run, world)
        assert died
        return told


def _durably_dying() -> str:
    with dying_at([task.dms], (2, "after")) as died:
        recording = dacapo.run(events.event_on_time)
    assert died
    return _starts(recording)


def _starts(recording: Recording) -> str:
    starts = recording.world.task.starts
    what = "finished" if recording.status == "SUCCEEDED" else "failed"
    return f"started {'once' if starts == 1 else f'{starts} times'}, told that it {what}"


def _scheduled_dies() -> str:
    with on_stage(schedule_world, SCHEDULED) as (stage, world):
        with dying_at([task.dms], (2, "after")) as died:
            stage.send(BEGIN, {"task_arn": TASK_ARN})
            stage.play()
        assert died
        world.finish()
        stage.call(LOOK, {})
        assert world.task.starts == 1
        return (
            f"started once, the table says {state_in_table()}; "
            f"{stage.dead_letters} false alarm in the dead letters"
        )


FAULTS = [
    Fault(
        "nothing: the event comes on time",
        partial(_by_token, _finish_and_tell),
        partial(_durably, events.event_on_time),
    ),
    Fault(
        "the event is lost",
        partial(_by_token, MigrationWorld.finish, seconds=SHORT),
        partial(_durably, events.event_lost),
    ),
    Fault("the load ends before the token is stored", _token_too_late, _durably_at_the_start),
    Fault("the function dies after it has started the task", _token_dies, _durably_dying),
    Fault(
        "the event comes twice",
        partial(_by_token, _tell_twice),
        partial(_durably, events.event_doubled),
    ),
    Fault(
        "the event of an earlier run comes late",
        partial(_by_token, _tell_of_earlier_run, ran_before=True),
        partial(_durably, events.event_stale),
    ),
    Fault(
        "somebody stops the load half-way",
        partial(_by_token, _stop_half_way),
        partial(_durably, polling.is_stopped),
    ),
    Fault("on a schedule: dies after it has started the task", _scheduled_dies, _durably_dying),
]
