"""Brings the event of a replication task to the execution that waits for it.

EventBridge invokes it asynchronously with "DMS Replication Task State Change" events. It finds the
callback by the task's ARN and answers it, through the registry, so that a crash at any point loses
nothing: an error here has the event delivered again, and in the end put into the dead-letter queue.

Which tasks are waited for is the registry's business: an event of any other task is ignored.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import BaseModel, event_parser
from aws_lambda_powertools.utilities.parser.models import EventBridgeModel
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field

from patterns import callbacks
from patterns.event_callback.hint import LOOK

ENDINGS = frozenset(
    {"REPLICATION_TASK_STOPPED", "REPLICATION_TASK_FAILED", "REPLICATION_TASK_DELETED"}
)
"""Event types after which it is worth looking (AWS DMS user guide, EventBridge events)."""

logger = Logger(service="resolver")


class TaskEvent(BaseModel):
    """The part of the event's detail that matters here."""

    event_type: str = Field(alias="eventType")


class TaskStateChange(EventBridgeModel):
    """A "DMS Replication Task State Change" event; its one resource is the task's ARN."""

    resources: list[str] = Field(min_length=1)
    detail: TaskEvent


@event_parser(model=TaskStateChange)
def handler(event: TaskStateChange, _: LambdaContext) -> dict[str, Any]:
    """Tell whoever waits for the task that it is time to look.

    Returns:
        `{"outcome": …}`: what became of the event.

    Raises:
        NotSentYet: the answer could not be sent; Lambda delivers the event again.
    """
    task_arn = event.resources[0]
    if event.detail.event_type not in ENDINGS:
        outcome = "ignored: not an ending"
    else:
        outcome = callbacks.answer(task_arn, LOOK, about=event.time.timestamp())
    logger.info("event handled", task=task_arn, event=event.detail.event_type, outcome=outcome)
    return {"outcome": outcome}
