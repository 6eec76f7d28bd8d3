"""No failure leaves anything reserved for an order, unless it is sold or named in the error."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dacapo
from scenarios import workflow as scenarios
from scenarios.worlds.workflow import shop_world
from tests.depth import every
from tests.scenarios.test_workflow import COMPENSATED, DONE, RESERVED, assert_consistent

COMPENSATIONS = {
    "goods": "release the goods",
    "payment": "refund the payment",
    "parcel": "cancel the parcel",
}
WRITES = st.frozensets(st.sampled_from([*DONE, *COMPENSATED]))


@pytest.mark.parametrize("_", every(0, range(4)), ids=lambda part: f"part {part}")
@settings(max_examples=5, deadline=None, database=None)
@given(forbidden=WRITES, unanswered=WRITES, is_picked_up=st.booleans())
def test_everything_still_held_is_sold_or_named_in_the_error(
    _: int, forbidden: frozenset[str], unanswered: frozenset[str], is_picked_up: bool
) -> None:
    world = partial(shop_world, forbidden=forbidden, unanswered=unanswered)
    external_events = (scenarios.PICK_UP,) if is_picked_up else ()
    recording = dacapo.run(replace(scenarios.shipped, world=world, external_events=external_events))
    statuses = recording.world.statuses
    assert_consistent(recording.world)
    if statuses.get("parcel") == "picked up":
        assert recording.status == "SUCCEEDED", "people are asked to compensate a shipped order"
        assert recording.result["ending"] == "shipped"
    held = {name for name, status in statuses.items() if status != "released"}
    if recording.status == "SUCCEEDED":
        assert held == (set(RESERVED) if recording.result["ending"] == "shipped" else set())
        return
    assert recording.error is not None
    left = (recording.error.message or "").partition("; manual compensation needed: ")[2]
    assert all(COMPENSATIONS[name] in left for name in held), left
