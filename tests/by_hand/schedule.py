"""Work at an interval that depends on the day: what is left out, and what is done twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import boto3

from patterns import start
from patterns.schedule import before, work
from scenarios.worlds.schedule import RULE, SCHEDULE, Readings, put_rule
from scenarios.worlds.stage import Stage
from tests.by_hand.fault import Fault
from tests.by_hand.nights import (
    FRIDAY,
    LONG_SUNDAY,
    SUNDAY,
    Disturbance,
    Night,
    at_first,
    by_hand,
    calm,
    due_in,
    durable,
    told,
)

events, lambda_client = boto3.client("events"), boto3.client("lambda")

System = Callable[[Night, Disturbance], dict[datetime, int]]
OTHER = "read-the-queue-as-well"
AWAY = timedelta(minutes=12), timedelta(minutes=34)
"""From when to when the queue is not there, since all was set up."""


def _midnight(night: Night) -> datetime:
    return night[1] - timedelta(hours=2)


def _told(system: System, night: Night, disturbed: Disturbance = calm) -> str:
    return told(system(night, disturbed), night)


def _undisturbed_by_hand() -> str:
    done = by_hand(LONG_SUNDAY)
    off = set(done) - set(due_in(LONG_SUNDAY))
    return f"{told(done, LONG_SUNDAY)}, {len(off)} of them not at :00, :20 or :40"


def _first_of_the_day(night: Night, calls: int) -> str:
    first = _midnight(night), _midnight(night) + timedelta(minutes=20)
    done = by_hand(night, calls=lambda at: calls if first[0] <= at < first[1] else 1)
    return told(done, night)


def _dies(client: Any, operation: str, when: str, since: datetime | None = None) -> Disturbance:
    def die() -> None:
        raise SystemExit(f"died {when} {operation}")

    return lambda *_: at_first(client, operation, when, die, since)


def _without_the_queue(stage: Stage, world: Readings) -> AbstractContextManager[object]:
    for after, happens in zip(AWAY, (world.lose_queue, world.make_queue), strict=True):
        stage.simulation.clock.schedule(after, happens, "something happens to the queue")
    return calm(stage, world)


def _with_another_rule(stage: Stage, world: Readings) -> AbstractContextManager[object]:
    put_rule(OTHER)
    return calm(stage, world)


def _disable() -> None:
    events.disable_rule(Name=RULE)


def _stop() -> None:
    running = lambda_client.list_durable_executions_by_function(
        FunctionName="schedule", Statuses=["RUNNING"]
    )
    for execution in running["DurableExecutions"]:
        lambda_client.stop_durable_execution(DurableExecutionArn=execution["DurableExecutionArn"])


def _switched_off(
    system: System,
    switch_off: Callable[[], None],
    client: Any,
    operation: str,
    since: datetime | None = None,
) -> str:
    """How much is done after it was switched off, just before the first such call."""
    moments: list[datetime] = []

    def act() -> None:
        switch_off()
        moments.append(datetime.now(UTC))

    done = system(FRIDAY, lambda *_: at_first(client, operation, "before", act, since))
    later = sum(at > moments[0] for at in done)
    return f"{later} more that night" if later else "nothing more"


_SYSTEMS: tuple[System, System] = by_hand, durable
_INVOKE, _PUT = (start.lambda_client, "Invoke"), (before.events, "PutRule")
_LATE = FRIDAY[0] + timedelta(hours=1)
"""Long after it was begun: what is invoked is a successor."""


def _both(what: str, night: Night, first: Disturbance, second: Disturbance) -> Fault:
    return Fault(
        what, partial(_told, by_hand, night, first), partial(_told, durable, night, second)
    )


FAULTS = [
    Fault(
        "nothing, on a Sunday on which the clocks go forward",
        _undisturbed_by_hand,
        lambda: told(durable(LONG_SUNDAY, rounds=12), LONG_SUNDAY),
    ),
    Fault(
        "the call that comes first on Saturday comes twice; it is begun twice",
        partial(_first_of_the_day, FRIDAY, calls=2),
        lambda: told(durable(FRIDAY, names=(SCHEDULE, SCHEDULE)), FRIDAY),
    ),
    Fault(
        "the call that comes first on Monday is lost; the invocation dies",
        partial(_first_of_the_day, SUNDAY, calls=0),
        partial(
            _told,
            durable,
            SUNDAY,
            _dies(work.sqs, "GetQueueAttributes", "before", _midnight(SUNDAY)),
        ),
    ),
    _both(
        "the queue is not there for some minutes", FRIDAY, _without_the_queue, _without_the_queue
    ),
    *(
        _both(
            f"it dies {when} it changes its pace, or hands over",
            FRIDAY,
            _dies(*_PUT, when),
            _dies(*_INVOKE, when, _LATE),
        )
        for when in ("before", "after")
    ),
    _both(
        "it dies after the work",
        FRIDAY,
        *(_dies(work.dynamodb, "UpdateItem", "after") for _ in _SYSTEMS),
    ),
    Fault(
        "it is set up twice, under two names",
        lambda: told(by_hand(FRIDAY, _with_another_rule, rules=(RULE, OTHER)), FRIDAY),
        lambda: told(durable(FRIDAY, names=(SCHEDULE, OTHER)), FRIDAY),
    ),
    Fault(
        "it is switched off while it works",
        partial(_switched_off, by_hand, _disable, work.sqs, "GetQueueAttributes"),
        partial(_switched_off, durable, _stop, work.sqs, "GetQueueAttributes"),
    ),
    Fault(
        "it is switched off just as it changes its pace, or hands over",
        partial(_switched_off, by_hand, _disable, *_PUT),
        partial(_switched_off, durable, _stop, *_INVOKE, _LATE),
    ),
]
