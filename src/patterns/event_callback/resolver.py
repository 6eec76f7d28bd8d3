"""Deliver a replication task's event to the execution that waits for it.

EventBridge invokes this function asynchronously with "DMS Replication Task State Change" events. It
finds the callback by the task's ARN and answers it through the registry, so a crash at any point
loses nothing: after an error here, Lambda retries the event and finally sends it to the dead-letter
queue.

The registry knows which tasks somebody waits for. Events of all other tasks are ignored.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import BaseModel, event_parser
from aws_lambda_powertools.utilities.parser.models import EventBridgeModel
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field

from patterns import callbacks
from patterns.callbacks import answers

CHECK = answers.success("check")
"""The one answer to this wait: time to check. So duplicate or different events never conflict."""
FINAL_EVENTS = frozenset(
    {"REPLICATION_TASK_STOPPED", "REPLICATION_TASK_FAILED", "REPLICATION_TASK_DELETED"}
)
"""Event types that make a check worthwhile (AWS DMS user guide, EventBridge events)."""

logger = Logger(service="resolver")


class TaskEvent(BaseModel):
    """The part of the event's detail that we use."""

    event_type: str = Field(alias="eventType")


class TaskStateChange(EventBridgeModel):
    """A "DMS Replication Task State Change" event; its one resource is the task's ARN."""

    resources: list[str] = Field(min_length=1)
    detail: TaskEvent


@event_parser(model=TaskStateChange)
def handler(event: TaskStateChange, _: LambdaContext) -> dict[str, Any]:
    """Notify the execution that waits for the task: time to check.

    Returns:
        `{"outcome": …}`: how the event was handled.

    Raises:
        NotSentYet: the answer could not be sent; Lambda retries the event.
    """
    task_arn = event.resources[0]
    if event.detail.event_type not in FINAL_EVENTS:
        outcome = "ignored: not a final event"
    else:
        outcome = callbacks.answer(task_arn, CHECK, about=event.time.timestamp())
    logger.info("event handled", task=task_arn, event=event.detail.event_type, outcome=outcome)
    return {"outcome": outcome}
