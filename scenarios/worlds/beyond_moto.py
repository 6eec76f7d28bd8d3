"""Simulate what moto can't, with the reason for each.

- The end of a task. moto's task stays `running` until somebody stops it: it never fails, has no
  stop reason or failure message, and always reports the same statistics.
- A rejected start. moto starts a task that is already running; DMS raises
  InvalidResourceStateFault.
- The statistics of a first run. moto reports a full load before the task has ever run.
- Throttling. moto accepts every call, to DMS as well as S3 and DynamoDB.
- The duration of a call. moto responds at once, and in virtual time no code takes any time.
- Events. moto's EventBridge delivers nothing to Lambda, and its DMS sends no events.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
from moto.core.exceptions import JsonRESTError
from moto.dms.exceptions import InvalidResourceStateFault
from moto.dms.models import FakeReplicationTask, dms_backends

lambda_client = boto3.client("lambda")

ACCOUNT = "123456789012"
REGION = "us-east-1"

EVENT_IDS = {
    "REPLICATION_TASK_STARTED": "DMS-EVENT-0069",
    "REPLICATION_TASK_DELETED": "DMS-EVENT-0073",
    "REPLICATION_TASK_FAILED": "DMS-EVENT-0078",
    "REPLICATION_TASK_STOPPED": "DMS-EVENT-0079",
}
"""Event IDs by event type (AWS DMS user guide, "Working with Amazon EventBridge events")."""


class ScriptedTask(FakeReplicationTask):
    """A replication task of moto, with an end that the scenario chooses.

    `starts` counts the starts that DMS accepted: the side effect that must happen once.
    `after_check` is called once, right after DMS describes the task the next time.
    """

    starts = 0
    stop_reason: str | None = None
    failure: str | None = None
    tables_loaded = 0
    tables_errored = 0
    percent = 0
    throttled_checks = 0
    is_refusing = False
    after_check: Callable[[], object] | None = None

    def start(self) -> FakeReplicationTask:
        """Start a run.

        Raises:
            InvalidResourceStateFault: a run is under way, or the task refuses to start.
        """
        if self.is_refusing or self.status in ("starting", "running"):
            raise InvalidResourceStateFault("Replication task is running")
        self.starts += 1
        self.stop_reason = self.failure = None
        self.tables_loaded = self.tables_errored = self.percent = 0
        return super().start()

    def end(self, status: str, **outcome: Any) -> None:
        """End the run with a status.

        Parameters:
            status: the task's status from now on, `stopped` or `failed`.
            outcome: other attributes of this class to set, `stop_reason` for example.
        """
        self.status = status
        self.stop_date = datetime.now(UTC).replace(tzinfo=None)
        for name, value in outcome.items():
            setattr(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """Return the task, as DescribeReplicationTasks does.

        Raises:
            JsonRESTError: DMS throttles the call.
        """
        if self.throttled_checks:
            self.throttled_checks -= 1
            raise JsonRESTError("ThrottlingException", "Rate exceeded")
        described = self._described()
        after, self.after_check = self.after_check, None
        if after is not None:
            after()
        return described

    def _described(self) -> dict[str, Any]:
        described = super().to_dict()
        described["ReplicationTaskStats"] |= {
            "FullLoadProgressPercent": self.percent,
            "TablesLoaded": self.tables_loaded,
            "TablesErrored": self.tables_errored,
        }
        for member, value in (
            ("StopReason", self.stop_reason),
            ("LastFailureMessage", self.failure),
        ):
            if value is not None:
                described[member] = value
        return described


def script(task_arn: str) -> ScriptedTask:
    """Replace a task that was created in moto with one whose end the scenario chooses."""
    tasks = dms_backends[ACCOUNT][REGION].replication_tasks
    scripted: ScriptedTask = object.__new__(ScriptedTask)
    vars(scripted).update(vars(tasks[task_arn]))
    scripted.ready()
    tasks[task_arn] = scripted
    return scripted


def delete_task(task_arn: str) -> None:
    """Delete a task. moto requires it to be stopped first, DMS does not."""
    del dms_backends[ACCOUNT][REGION].replication_tasks[task_arn]


def task_event(task_arn: str, event_type: str, at: datetime) -> dict[str, Any]:
    """Return a "DMS Replication Task State Change" event, in its documented shape."""
    return {
        "version": "0",
        "id": "11a11b11-222b-333a-44d4-01234a5b6789",
        "detail-type": "DMS Replication Task State Change",
        "source": "aws.dms",
        "account": ACCOUNT,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [task_arn],
        "detail": {
            "type": "ReplicationTask",
            "category": "StateChange",
            "eventType": event_type,
            "eventId": EVENT_IDS[event_type],
            "resourceLink": f"https://console.aws.amazon.com/dms/v2/home?region={REGION}",
            "detailMessage": event_type.replace("_", " ").capitalize(),
        },
    }


def deliver(function: str, event: dict[str, Any], *, is_synchronous: bool = False) -> None:
    """Deliver an event to a function as an EventBridge rule does, with an asynchronous invoke.

    Parameters:
        is_synchronous: run the function before anything else happens.
    """
    lambda_client.invoke(
        FunctionName=function,
        InvocationType="RequestResponse" if is_synchronous else "Event",
        Payload=json.dumps(event).encode(),
    )


class Refusals:
    """Errors for the next calls of a client, as after boto3 has exhausted its own retries."""

    def __init__(self) -> None:
        self._next: dict[str, list[tuple[int, str]]] = {}

    def add(self, operation: str, status: int, code: str, times: int) -> None:
        """Make the next calls of an operation fail.

        Parameters:
            operation: the operation's name in the service model, `GetObject` for example.
            status: the HTTP status.
            code: the AWS error code.
            times: number of calls to fail.
        """
        self._next.setdefault(operation, []).extend([(status, code)] * times)

    @contextmanager
    def of(self, *clients: Any) -> Iterator[None]:
        """Context manager that makes calls of these clients fail."""
        for client in clients:
            client.meta.events.register_last("before-call", self._refuse)
        try:
            yield
        finally:
            for client in clients:
                client.meta.events.unregister("before-call", self._refuse)

    def _refuse(self, model: Any, **_: Any) -> tuple[Any, dict[str, Any]] | None:
        if not self._next.get(model.name):
            return None
        status, code = self._next[model.name].pop(0)
        parsed = {
            "Error": {"Code": code, "Message": "Please reduce your request rate."},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        return SimpleNamespace(status_code=status), parsed


@contextmanager
def slow(client: Any, operation: str, seconds: float) -> Iterator[None]:
    """Context manager that makes each call of an operation take some virtual seconds."""

    def pass_time(**_: Any) -> None:
        time.sleep(seconds)

    event = f"after-call.{client.meta.service_model.service_id.hyphenize()}.{operation}"
    client.meta.events.register(event, pass_time)
    try:
        yield
    finally:
        client.meta.events.unregister(event, pass_time)
