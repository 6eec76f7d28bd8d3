"""Work at an interval that depends on the day: rounds that are missing or done twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import boto3

from baselines import schedule as baseline
from patterns import starting
from patterns.schedule import work
from scenarios.worlds.schedule import RULE, SCHEDULE, Readings, put_rule
from scenarios.worlds.stage import Stage
from tests.baselines.fault import Fault
from tests.baselines.nights import (
    FRIDAY,
    LONG_SUNDAY,
    SUNDAY,
    Disturbance,
    Night,
    at_first,
    baseline_system,
    calm,
    comparison,
    due_in,
    durable,
)

events, lambda_client = boto3.client("events"), boto3.client("lambda")

System = Callable[[Night, Disturbance], dict[datetime, int]]
OTHER = "read-the-queue-as-well"
MISSING = timedelta(minutes=12), timedelta(minutes=34)
"""Beginning and end of the time without the queue, counted from the setup."""


def _midnight(night: Night) -> datetime:
    return night[1] - timedelta(hours=2)


def _compared(system: System, night: Night, disturbed: Disturbance = calm) -> str:
    return comparison(system(night, disturbed), night)


def _undisturbed_baseline() -> str:
    done = baseline_system(LONG_SUNDAY)
    off = set(done) - set(due_in(LONG_SUNDAY))
    return f"{comparison(done, LONG_SUNDAY)}, {len(off)} of them not at :00, :20 or :40"


def _first_of_the_day(night: Night, calls: int) -> str:
    first = _midnight(night), _midnight(night) + timedelta(minutes=20)
    done = baseline_system(night, calls=lambda at: calls if first[0] <= at < first[1] else 1)
    return comparison(done, night)


def _crashes(client: Any, operation: str, when: str, since: datetime | None = None) -> Disturbance:
    def die() -> None:
        raise SystemExit(f"died {when} {operation}")

    return lambda *_: at_first(client, operation, when, die, since)


def _without_the_queue(stage: Stage, world: Readings) -> AbstractContextManager[object]:
    for after, change in zip(MISSING, (world.lose_queue, world.make_queue), strict=True):
        stage.simulation.clock.schedule(after, change, "the queue is deleted or created")
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


def _turned_off(
    system: System,
    turn_off: Callable[[], None],
    client: Any,
    operation: str,
    since: datetime | None = None,
) -> str:
    """Turn the system off just before a call, and return how many rounds follow, in words."""
    moments: list[datetime] = []

    def act() -> None:
        turn_off()
        moments.append(datetime.now(UTC))

    done = system(FRIDAY, lambda *_: at_first(client, operation, "before", act, since))
    later = sum(at > moments[0] for at in done)
    return f"rounds after that: {later or 'none'}"


_SYSTEMS: tuple[System, System] = baseline_system, durable
_INVOKE, _PUT = (starting.lambda_client, "Invoke"), (baseline.events, "PutRule")
_LATE = FRIDAY[0] + timedelta(hours=1)
"""Long after the start: the function invoked by then is a successor."""


def _both(description: str, night: Night, first: Disturbance, second: Disturbance) -> Fault:
    return Fault(
        description,
        partial(_compared, baseline_system, night, first),
        partial(_compared, durable, night, second),
    )


FAULTS = [
    Fault(
        "none, on the Sunday when daylight saving time starts",
        _undisturbed_baseline,
        lambda: comparison(durable(LONG_SUNDAY, rounds=12), LONG_SUNDAY),
    ),
    Fault(
        "the first call on Saturday is delivered twice (durable: it is started twice)",
        partial(_first_of_the_day, FRIDAY, calls=2),
        lambda: comparison(durable(FRIDAY, names=(SCHEDULE, SCHEDULE)), FRIDAY),
    ),
    Fault(
        "the first call on Monday is lost (durable: the invocation crashes)",
        partial(_first_of_the_day, SUNDAY, calls=0),
        partial(
            _compared,
            durable,
            SUNDAY,
            _crashes(work.sqs, "GetQueueAttributes", "before", _midnight(SUNDAY)),
        ),
    ),
    _both("the queue is temporarily missing", FRIDAY, _without_the_queue, _without_the_queue),
    *(
        _both(
            f"it crashes {when} changing its rate (durable: {when} handing over)",
            FRIDAY,
            _crashes(*_PUT, when),
            _crashes(*_INVOKE, when, _LATE),
        )
        for when in ("before", "after")
    ),
    _both(
        "it crashes after the work",
        FRIDAY,
        *(_crashes(work.dynamodb, "UpdateItem", "after") for _ in _SYSTEMS),
    ),
    Fault(
        "it is set up twice, under two names",
        lambda: comparison(
            baseline_system(FRIDAY, _with_another_rule, rules=(RULE, OTHER)), FRIDAY
        ),
        lambda: comparison(durable(FRIDAY, names=(SCHEDULE, OTHER)), FRIDAY),
    ),
    Fault(
        "it is turned off while it works",
        partial(_turned_off, baseline_system, _disable, work.sqs, "GetQueueAttributes"),
        partial(_turned_off, durable, _stop, work.sqs, "GetQueueAttributes"),
    ),
    Fault(
        "it is turned off just as it changes its rate (durable: hands over)",
        partial(_turned_off, baseline_system, _disable, *_PUT),
        partial(_turned_off, durable, _stop, *_INVOKE, _LATE),
    ),
]
