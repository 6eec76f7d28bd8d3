"""A replication task, the callback registry, and the EventBridge rule of the resolver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration
from moto import mock_aws

from patterns import callbacks
from patterns.callbacks import table
from scenarios.worlds import beyond_moto
from scenarios.worlds.registry import registry, stored_row, sweep

dms, lambda_client = boto3.client("dms"), boto3.client("lambda")

SIX_HOURS = timedelta(hours=6)
"""Duration of the migration in the demo, in the documents, and in the comparison of costs."""
TASK_ARN = f"arn:aws:dms:{beyond_moto.REGION}:{beyond_moto.ACCOUNT}:task:orders"
ANOTHER_TASK_ARN = TASK_ARN.replace(":orders", ":invoices")
RESOLVER = "resolver"
ELSEWHERE = "elsewhere"
"""Name of the function whose execution waits for the same task."""
DAY_SECONDS = 24 * 3600
TABLES = 12
"""Number of tables that the task loads."""
THROTTLED_CHECKS = 5
"""Number of DMS calls to throttle: more than boto3 retries by itself."""
EARLIER = timedelta(days=1)
"""Time since the start of the task's earlier run."""


@dataclass
class MigrationWorld:
    """Controls for the migration during a scenario, and its state for assertions afterwards.

    Parameters:
        task: the replication task.
        row: the task's row in the registry when the run ended; None if there is none.
    """

    task: beyond_moto.ScriptedTask
    row: table.Row | None = field(default=None)

    def complete_earlier_run(self) -> None:
        """Give the task an earlier run, whose end it still reports."""
        self.task.start()
        self.finish()
        self.task.start_date = datetime.now(UTC).replace(tzinfo=None) - EARLIER
        self.task.starts = 0

    def finish(self) -> None:
        """Finish the full load."""
        self.task.end(
            "stopped",
            stop_reason="Stop Reason FULL_LOAD_ONLY_FINISHED",
            tables_loaded=TABLES,
            percent=100,
        )

    def finish_with_errors(self) -> None:
        """End the load as complete, but with three tables that failed to load."""
        self.task.end(
            "stopped",
            stop_reason="Stop Reason FULL_LOAD_ONLY_FINISHED",
            tables_loaded=TABLES - 3,
            tables_errored=3,
            percent=100,
        )

    def fail(self) -> None:
        """Fail the task."""
        self.task.end("failed", failure="Last Error Task error notification received: no space")

    def stop(self) -> None:
        """Stop the task halfway, as somebody else would."""
        self.task.end("stopped", stop_reason="Stop Reason NORMAL", percent=40)

    def delete(self) -> None:
        """Delete the task, as somebody else would."""
        beyond_moto.delete_task(TASK_ARN)

    def sweep(self) -> None:
        """Run the function that delivers what senders have given up."""
        sweep()

    def start(self) -> None:
        """Start the task, as somebody else would."""
        self.task.start()

    def refuse_to_start(self) -> None:
        """Make DMS refuse to start the task, although it is not running."""
        self.task.is_refusing = True

    def start_another_execution(self) -> None:
        """Start an execution that waits for the task, and is faster; needs `ELSEWHERE`."""
        self.throttle()
        lambda_client.invoke(FunctionName=f"{ELSEWHERE}:live", InvocationType="Event")

    def throttle(self) -> None:
        """Make DMS throttle more calls in a row than boto3 retries by itself."""
        self.task.throttled_checks = THROTTLED_CHECKS

    def finish_after_descriptions(self, number: int) -> None:
        """Finish the load once DMS has described the task this often; a start counts, too."""

        def described() -> None:
            if number == 1:
                self.finish()
            else:
                self.finish_after_descriptions(number - 1)

        self.task.after_check = described

    def finish_after_next_check(self) -> None:
        """Finish the load, and send the event, right after the next check finds it under way."""
        self.task.after_check = self.finish_and_notify_immediately

    def send_event(
        self,
        event_type: str = "REPLICATION_TASK_STOPPED",
        *,
        at: datetime | None = None,
        task_arn: str = TASK_ARN,
    ) -> None:
        """Send an event from DMS; the rule delivers it to the resolver.

        Parameters:
            event_type: the event's type, a key of `beyond_moto.EVENT_IDS`.
            at: the event's time; None for now.
            task_arn: the task that the event is about.
        """
        event = beyond_moto.task_event(task_arn, event_type, at or datetime.now(UTC))
        beyond_moto.deliver(RESOLVER, event)

    def finish_and_notify(self) -> None:
        """Finish the full load, and send the event."""
        self.finish()
        self.send_event()

    def notify_immediately(self) -> None:
        """Send the event of a stopped task, and deliver it before anything else happens."""
        event = beyond_moto.task_event(TASK_ARN, "REPLICATION_TASK_STOPPED", datetime.now(UTC))
        beyond_moto.deliver(RESOLVER, event, is_synchronous=True)

    def finish_and_notify_immediately(self) -> None:
        """Finish the full load, and deliver the event before anything else happens."""
        self.finish()
        self.notify_immediately()

    def fail_and_notify(self) -> None:
        """Fail the task, and send the event."""
        self.fail()
        self.send_event("REPLICATION_TASK_FAILED")


@durable_execution
def wait_elsewhere(_: dict[str, Any], context: DurableContext) -> None:
    """Wait for the task in another execution, which is about to start it."""
    owner = context.execution_context.durable_execution_arn
    context.step(
        lambda _: callbacks.put(TASK_ARN, "YW5vdGhlcg==", owner=owner, timeout=DAY_SECONDS),
        name="put the row",
    )
    context.wait(Duration.from_seconds(DAY_SECONDS), name="wait")


@contextmanager
def migration_world(*, has_earlier_run: bool = False) -> Iterator[MigrationWorld]:
    """Context manager that builds a task ready to start, and an empty registry.

    Parameters:
        has_earlier_run: whether the task has run before, and still reports the end of that run.
    """
    with mock_aws(), registry():
        world = MigrationWorld(_create_task())
        if has_earlier_run:
            world.complete_earlier_run()
        try:
            yield world
        finally:
            world.row = stored_row(TASK_ARN)


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
