"""An execution is in flight while new code is deployed: whether it survives, and who says so first.

What becomes of it is tried, not reasoned: the execution goes on with the new code, on the simulated
service and the SDK as it is, from every point at which it rests. Only then is the gate asked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache

import pytest

from dacapo import Recording
from dacapo.service.functions import Handler
from dacapo.verify import gate
from dacapo.verify.findings import PROVED, Code, Finding
from dacapo.verify.log import Log
from tests.verify import order
from tests.verify.deployment import Run, Trial
from tests.verify.in_flight import BREAKING, DYING, OPTIONS, SAFE, UNSEEN, Change

SURVIVED = {**SAFE, **OPTIONS}
recorded = cache(Run.of)
"""The run of old code, which many changes begin with."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The SDK logs every failure with its trace, and most of these executions fail."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def trial(change: Change) -> Trial:
    return Trial(change, recorded(change.old))


def verdict(handler: Handler, recording: Recording) -> list[Finding]:
    """What the gate has against new code, given a history that old code made."""
    return gate.check(handler, Log.of(recording)).findings


def refused(change: Change) -> list[str]:
    findings = verdict(change.new, recorded(change.old).recording)
    return [f"{f.code}: {f.message}" for f in findings if f.certainty == PROVED]


def test_the_order_rests_in_every_kind_of_operation() -> None:
    recording = recorded(order.base).recording
    begun = {e["Id"]: recording.events.index(e) for e in reversed(recording.events) if "Id" in e}
    ended = {e["Id"]: recording.events.index(e) for e in recording.events if "Id" in e}
    between = [i.events_after for i in recording.invocations[:-1]]
    resting = {
        o.kind for o in recording.operations for at in between if begun[o.id] < at <= ended[o.id]
    }
    assert len(between) == 10
    assert resting == {o.kind for o in recording.operations}


@pytest.mark.parametrize("name", [*BREAKING, *UNSEEN])
def test_an_execution_in_flight_breaks_if(name: str) -> None:
    assert any(trial({**BREAKING, **UNSEEN}[name]).at_rest())


@pytest.mark.parametrize("name", SURVIVED)
def test_an_execution_in_flight_survives_wherever_it_rests_if(name: str) -> None:
    assert [wrong for wrong in trial(SURVIVED[name]).at_rest() if wrong] == []


@pytest.mark.parametrize("name", DYING)
def test_only_an_execution_that_dies_half_way_breaks_if(name: str) -> None:
    assert not any(trial(DYING[name]).at_rest())
    assert any(trial(DYING[name]).dying())


@pytest.mark.parametrize("name", [*BREAKING, *DYING])
def test_the_gate_refuses_if(name: str) -> None:
    assert refused({**BREAKING, **DYING}[name])


@pytest.mark.parametrize("name", SURVIVED)
def test_the_gate_lets_pass_if(name: str) -> None:
    assert refused(SURVIVED[name]) == []


@pytest.mark.parametrize("name", UNSEEN)
def test_a_history_without_names_does_not_tell_the_gate_if(name: str) -> None:
    """It holds no line of code: only names say which step a result is of."""
    assert refused(UNSEEN[name]) == []


def test_the_gate_says_so_where_operations_have_no_names() -> None:
    change = UNSEEN["two steps without a name change places"]
    findings = verdict(change.new, recorded(change.old).recording)
    assert [finding.code for finding in findings] == [Code.UNNAMED_OPERATION]
