"""A replication task, the registry of callbacks, and the rule that leads to the resolver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import boto3
from moto import mock_aws

from patterns import callback_rows, callbacks
from scenarios.worlds import beyond_moto
from scenarios.worlds.registry import registry

dms = boto3.client("dms")

TASK_ARN = f"arn:aws:dms:{beyond_moto.REGION}:{beyond_moto.ACCOUNT}:task:orders"
ANOTHER_TASK_ARN = TASK_ARN.replace(":orders", ":invoices")
RESOLVER = "resolver"
TABLES = 12
"""How many tables the task loads."""
THROTTLED_LOOKS = 5
EARLIER = timedelta(days=1)
"""How long ago the task's earlier run started."""


@dataclass
class MigrationWorld:
    """What a story can do to the migration, and what it can look at afterwards.

    `row` is the registry's row of the task as it was when the run ended; None if there is none.
    """

    task: beyond_moto.ScriptedTask
    row: callback_rows.Row | None = field(default=None)

    def run_before(self) -> None:
        """The task has run before, and remembers that run's end."""
        self.task.start()
        self.finish()
        self.task.start_date = datetime.now(UTC).replace(tzinfo=None) - EARLIER
        self.task.starts = 0

    def finish(self) -> None:
        """The full load ends well."""
        self.task.end(
            "stopped",
            stop_reason="Stop Reason FULL_LOAD_ONLY_FINISHED",
            tables_loaded=TABLES,
            percent=100,
        )

    def finish_with_errors(self) -> None:
        """The task says that it is done, but three tables did not make it."""
        self.task.end(
            "stopped",
            stop_reason="Stop Reason FULL_LOAD_ONLY_FINISHED",
            tables_loaded=TABLES - 3,
            tables_errored=3,
            percent=100,
        )

    def fail(self) -> None:
        """The task fails."""
        self.task.end("failed", failure="Last Error Task error notification received: no space")

    def be_stopped(self) -> None:
        """Somebody stops the task half-way."""
        self.task.end("stopped", stop_reason="Stop Reason NORMAL", percent=40)

    def be_deleted(self) -> None:
        """Somebody deletes the task."""
        beyond_moto.forget(TASK_ARN)

    def be_started(self) -> None:
        """Somebody else starts the task."""
        self.task.start()

    def refuse_to_start(self) -> None:
        """DMS refuses to start the task, though it does not run."""
        self.task.is_refusing = True

    def be_waited_for(self) -> None:
        """Another execution has put its row for the task, and is about to start it."""
        deadline = (datetime.now(UTC) + EARLIER).timestamp()
        callbacks.put(
            TASK_ARN, "YW5vdGhlcg==", owner="another execution", deadline=deadline, not_before=0
        )

    def throttle(self) -> None:
        """DMS refuses the next calls, for longer than boto3 tries again by itself."""
        self.task.throttled_looks = THROTTLED_LOOKS

    def finish_after_descriptions(self, number: int) -> None:
        """The load ends when DMS has described the task this often; it also does so at a start."""

        def described() -> None:
            if number == 1:
                self.finish()
            else:
                self.finish_after_descriptions(number - 1)

        self.task.after_look = described

    def finish_unseen(self) -> None:
        """The load ends, and DMS says so, just after the next look has found it under way."""
        self.task.after_look = self.finish_and_tell_at_once

    def send_event(
        self,
        event_type: str = "REPLICATION_TASK_STOPPED",
        *,
        at: datetime | None = None,
        task_arn: str = TASK_ARN,
    ) -> None:
        """DMS sends an event, and the rule hands it to the resolver.

        Parameters:
            at: when it happened which the event is about; None for now.
        """
        event = beyond_moto.task_event(task_arn, event_type, at or datetime.now(UTC))
        beyond_moto.deliver(RESOLVER, event)

    def finish_and_tell(self) -> None:
        """The full load ends well, and DMS says so."""
        self.finish()
        self.send_event()

    def tell_at_once(self) -> None:
        """DMS says that the task stopped, and the event overtakes whatever else is under way."""
        event = beyond_moto.task_event(TASK_ARN, "REPLICATION_TASK_STOPPED", datetime.now(UTC))
        beyond_moto.deliver(RESOLVER, event, at_once=True)

    def finish_and_tell_at_once(self) -> None:
        """The full load ends well, and the event overtakes whatever else is under way."""
        self.finish()
        self.tell_at_once()

    def fail_and_tell(self) -> None:
        """The task fails, and DMS says so."""
        self.fail()
        self.send_event("REPLICATION_TASK_FAILED")


@contextmanager
def migration_world(*, ran_before: bool = False) -> Iterator[MigrationWorld]:
    """A task that is ready to start, and an empty registry.

    Parameters:
        ran_before: whether the task has run before, and so remembers that run's end.
    """
    with mock_aws(), registry():
        world = MigrationWorld(_create_task())
        if ran_before:
            world.run_before()
        try:
            yield world
        finally:
            world.row = callback_rows.read(TASK_ARN)


def _create_task() -> beyond_moto.ScriptedTask:
    endpoint = f"arn:aws:dms:{beyond_moto.REGION}:{beyond_moto.ACCOUNT}:endpoint"
    task = dms.create_replication_task(
        ReplicationTaskIdentifier="orders",
        SourceEndpointArn=f"{endpoint}:source",
        TargetEndpointArn=f"{endpoint}:target",
        ReplicationInstanceArn=endpoint.replace("endpoint", "rep:instance"),
        MigrationType="full-load",
        TableMappings="{}",
    )["ReplicationTask"]
    return beyond_moto.script(task["ReplicationTaskArn"])
