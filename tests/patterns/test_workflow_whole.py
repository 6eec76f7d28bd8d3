"""Whatever fails, nothing of an order is left that is not sold, or named as left."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

import dacapo
from scenarios import workflow as stories
from scenarios.worlds.workflow import shop_world
from tests.scenarios.test_workflow import DONE, TAKEN, UNDONE, assert_whole

WORDS = {
    "goods": "release the goods",
    "payment": "give the money back",
    "parcel": "cancel the parcel",
}
MARKS = st.frozensets(st.sampled_from([*DONE, *UNDONE]))


@settings(max_examples=20, deadline=None, database=None)
@given(forbidden=MARKS, unanswered=MARKS, is_picked_up=st.booleans())
def test_nothing_is_held_that_is_not_sold_or_named(
    forbidden: frozenset[str], unanswered: frozenset[str], is_picked_up: bool
) -> None:
    world = partial(shop_world, forbidden=forbidden, unanswered=unanswered)
    happenings = (stories.PICK_UP,) if is_picked_up else ()
    recording = dacapo.run(replace(stories.shipped, world=world, happenings=happenings))
    standings = recording.world.standings
    assert_whole(recording.world)
    held = {what for what, standing in standings.items() if standing != "given back"}
    if recording.status == "SUCCEEDED":
        assert held == (set(TAKEN) if recording.result["ending"] == "shipped" else set())
        return
    assert recording.error is not None
    left = (recording.error.message or "").partition("; still to do by hand: ")[2]
    assert all(WORDS[what] in left for what in held), left
