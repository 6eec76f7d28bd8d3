"""Count the answers that were recorded but never reached their execution, for an alarm.

Such an answer (a row in INTENT) is in transit: its sender was asked to redeliver it. After 15
minutes the sender has probably given up, and an operator has to act (see the runbook). The table
holds only open callbacks and a few days of closed ones, so an occasional scan is cheap; an index
would make every write more expensive.
"""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from patterns.callbacks import table

MAX_INTENT_SECONDS = 15 * 60
"""How long an answer may be in transit before it counts as overdue."""
NAMESPACE, SERVICE, METRIC = "Dacapo", "overdue", "AnswersOverdue"

metrics = Metrics(namespace=NAMESPACE, service=SERVICE)


@metrics.log_metrics
def handler(_: dict[str, Any], __: LambdaContext) -> dict[str, int]:
    """Count the overdue answers and publish the count as a CloudWatch metric.

    Returns:
        `{"overdue": …}`.
    """
    overdue = table.count_intents(before=time.time() - MAX_INTENT_SECONDS)
    metrics.add_metric(METRIC, MetricUnit.Count, overdue)
    return {"overdue": overdue}
