"""Counts the answers that were recorded but not brought to their execution, for an alarm.

Such an answer (a row in INTENT) is on its way: its sender was told to come again. One that stays
there for a quarter of an hour has probably lost its sender, and somebody has to look (the runbook
says how). The table holds only what is waited for now and some days of what was, so reading all of
it now and then is cheap; an index would cost more with every write.
"""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from patterns import callback_rows

LONGEST_INTENT_SECONDS = 15 * 60
NAMESPACE, SERVICE, METRIC = "Dacapo", "overdue", "AnswersOverdue"

metrics = Metrics(namespace=NAMESPACE, service=SERVICE)


@metrics.log_metrics
def handler(_: dict[str, Any], __: LambdaContext) -> dict[str, int]:
    """Count them, and tell CloudWatch how many there are."""
    overdue = callback_rows.count_intents(before=time.time() - LONGEST_INTENT_SECONDS)
    metrics.add_metric(METRIC, MetricUnit.Count, overdue)
    return {"overdue": overdue}
