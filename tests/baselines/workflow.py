"""An order with its state in a table, and a durable one, under the same faults."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from tests.baselines import workflow_baseline, workflow_durable
from tests.baselines.fault import Fault
from tests.baselines.workflow_counts import done, paid

_GOODS = partial(done, "goods held")
OUTAGES = {"five minutes": timedelta(minutes=5), "five hours": timedelta(hours=5)}
FAULTS = [
    Fault(
        "the function crashes before or after any call: goods reserved",
        partial(workflow_baseline.crashed, _GOODS),
        partial(workflow_durable.crashed, _GOODS),
    ),
    Fault(
        "… payment charged, by a service without idempotency keys",
        partial(workflow_baseline.crashed, paid),
        partial(workflow_durable.crashed, paid),
    ),
    Fault(
        "two invocations at once, in every interleaving: goods reserved",
        partial(workflow_baseline.raced, 0, _GOODS),
        partial(workflow_durable.raced, _GOODS),
    ),
    Fault(
        "… payment charged, by a service without idempotency keys",
        partial(workflow_baseline.raced, 1, paid),
        partial(workflow_durable.raced, paid),
    ),
    Fault(
        "the client repeats the request, then repeats it with another order",
        workflow_baseline.repeated,
        workflow_durable.repeated,
    ),
    Fault(
        "the call that triggers the next step is lost",
        workflow_baseline.lost_call,
        workflow_durable.self_invocations,
    ),
    Fault(
        "a save succeeds, but its response is lost",
        workflow_baseline.lost_response,
        workflow_durable.checkpoints_lost,
    ),
    Fault(
        "the function crashes during compensation: payment refunded",
        workflow_baseline.compensated,
        workflow_durable.compensated,
    ),
    Fault(
        "the refund is denied permanently",
        workflow_baseline.forbidden,
        workflow_durable.forbidden,
    ),
    *(
        Fault(
            f"the shop's table throttles for {words}",
            partial(workflow_baseline.throttled, lasts),
            partial(workflow_durable.throttled, lasts),
        )
        for words, lasts in (
            ("five minutes", timedelta(minutes=5)),
            ("five hours", timedelta(hours=5)),
        )
    ),
]
