"""Deliver the answers that were recorded but never reached their execution, and count the rest.

Such an answer (a row in INTENT) is in transit: its sender was asked to redeliver it, and normally
does. This function does it for the senders that gave up, and settles the rows that neither sender
nor handler could close, because the table was out. What is left after 15 minutes needs an operator
(see the runbook), so it is counted for an alarm.
"""

from __future__ import annotations

import os
import time
from itertools import takewhile
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from patterns.callbacks import registry, table
from patterns.callbacks.service import NotSentYet
from patterns.callbacks.table import Row
from patterns.transient import name_of

IN_TRANSIT_SECONDS = 60
"""How long a recorded answer is left to its sender and its handler."""
MAX_INTENT_SECONDS = 15 * 60
"""How long an answer may be in transit before it counts as overdue."""
MAX_SETTLING_SECONDS = 30
"""How long it delivers before it counts, in a function that times out after 60 s."""
NAMESPACE, SERVICE, METRIC = "Dacapo", "overdue", "AnswersOverdue"
STACK_VARIABLE = "STACK_NAME"
"""Environment variable with the stack's name, so that two stacks don't share an alarm."""

logger = Logger(service=SERVICE)
metrics = Metrics(namespace=NAMESPACE, service=SERVICE)


@metrics.log_metrics
def handler(_: dict[str, Any], __: LambdaContext) -> dict[str, int]:
    """Deliver what can be delivered, and publish the number of overdue answers in CloudWatch.

    Returns:
        `{"settled": …, "overdue": …}`.
    """
    now = time.time()
    recorded = table.intents(before=now - IN_TRANSIT_SECONDS)
    settled = sum(_settle(*row) for row in takewhile(lambda _: _has_time(now), recorded))
    overdue = sum(1 for _ in table.intents(before=now - MAX_INTENT_SECONDS))
    metrics.add_dimension("stack", os.environ[STACK_VARIABLE])
    metrics.add_metric(METRIC, MetricUnit.Count, overdue)
    return {"settled": settled, "overdue": overdue}


def _has_time(started: float) -> bool:
    return time.time() < started + MAX_SETTLING_SECONDS


def _settle(reference: str, row: Row) -> bool:
    try:
        return registry.settle(reference, row)
    except (NotSentYet, ClientError, BotoCoreError) as error:
        # One answer that can't be sent must not keep the others waiting.
        logger.warning("answer not delivered yet", reason=name_of(error))
        return False
