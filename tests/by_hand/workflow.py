"""An order whose state is kept by hand, and a durable one, under the same faults."""

from __future__ import annotations

from functools import partial

from tests.by_hand import workflow_by_hand, workflow_durable
from tests.by_hand.fault import Fault
from tests.by_hand.workflow_counts import done, paid

_GOODS = partial(done, "goods held")
FAULTS = [
    Fault(
        "the function dies, before or after any call: goods are reserved",
        partial(workflow_by_hand.died, _GOODS),
        partial(workflow_durable.died, _GOODS),
    ),
    Fault(
        "… and money is taken, by a service that takes no key",
        partial(workflow_by_hand.died, paid),
        partial(workflow_durable.died, paid),
    ),
    Fault(
        "two at once, calls in any order: goods are reserved",
        partial(workflow_by_hand.raced, 0, _GOODS),
        partial(workflow_durable.raced, _GOODS),
    ),
    Fault(
        "… and money is taken, by a service that takes no key",
        partial(workflow_by_hand.raced, 1, paid),
        partial(workflow_durable.raced, paid),
    ),
    Fault(
        "it is asked for again, and again with another order",
        workflow_by_hand.asked_again,
        workflow_durable.asked_again,
    ),
    Fault(
        "the call that asks for the next move is lost",
        workflow_by_hand.lost_call,
        workflow_durable.calls_of_its_own,
    ),
    Fault(
        "what was done is saved, and the reply is lost",
        workflow_by_hand.lost_reply,
        workflow_durable.checkpoints_lost,
    ),
    Fault(
        "it dies while it undoes: money is given back",
        workflow_by_hand.undone,
        workflow_durable.undone,
    ),
    Fault(
        "money may not be given back, for good",
        workflow_by_hand.forbidden,
        workflow_durable.forbidden,
    ),
    Fault(
        "the shop's table throttles for five minutes",
        workflow_by_hand.throttled,
        workflow_durable.throttled,
    ),
]
