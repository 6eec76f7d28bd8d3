"""A scenario is checked when it is made: a mistake is one line that says what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dacapo import (
    DacapoError,
    ExternalEvent,
    Scenario,
    ScenarioError,
    fail,
    heartbeats,
    run,
    succeed,
)
from tests.command_line import assert_usage_error, dacapo
from tests.lab import handlers

SCENARIO: Any = Scenario
"""Without its types: they would catch most of these mistakes before a test does."""
AFTER: Any = ExternalEvent
HOUR = timedelta(hours=1)


def generator() -> Iterator[None]:
    yield


@contextmanager
def world() -> Iterator[None]:
    yield


def of(**parts: Any) -> Callable[[], object]:
    return lambda: SCENARIO(handler=handlers.steps, **parts)


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "a plain handler": (lambda: SCENARIO(handler=generator), "decorate it with @durable_execution"),
    "no handler": (lambda: SCENARIO(handler=None), "decorate it with @durable_execution"),
    "an expected status that is none": (of(expects="SUCEEDED"), "expects must be a status ("),
    "an expected ending that is a value": (of(expects=1), "expects must be a status ("),
    "an invariant that is none": (of(invariant=True), "invariant must be a function of"),
    "a waiver without a reason": (of(waives={"replayed": " "}), "must be the reason why"),
    "an answer that is a value": (of(answers={"a": {"by": "Ada"}}), "write succeed("),
    "a list of values": (of(answers={"a": ["yes"]}), "write succeed("),
    "answers that map nothing": (of(answers=succeed(1)), "answers must map each callback name"),
    "an event that is none": (of(external_events=[world]), "ExternalEvent(after, name, action)"),
    "a world that is built already": (of(world=world()), "pass the function, not its result"),
    "a world without its decorator": (of(world=generator), "decorate it with @contextmanager"),
    "a start without a zone": (of(start=datetime(2026, 1, 1)), "tzinfo=UTC"),
    "a start that is text": (of(start="2026-01-01"), "tzinfo=UTC"),
    "an execution name with a space": (of(execution_name="a b"), "execution_name is not valid"),
    "a timeout of nothing": (of(execution_timeout=timedelta(0)), "must be a positive timedelta"),
    "a timeout in seconds": (of(execution_timeout=900), "must be a positive timedelta"),
    "a function that cannot be called": (of(functions={"mail": "mail"}), "must be a handler"),
    "an answer in the past": (lambda: succeed(1, after=-HOUR), "not negative"),
    "an answer after a number": (lambda: fail("no", after=5), "write timedelta("),  # type: ignore[arg-type]
    "heartbeats every nothing": (
        lambda: heartbeats(every=timedelta(0), times=3),
        "every must be a positive timedelta",
    ),
    "heartbeats less than none": (lambda: heartbeats(every=HOUR, times=-1), "times must be 0"),
    "an event in the past": (lambda: AFTER(-HOUR, "early", print), "not negative"),
    "an event that does nothing": (of(external_events=[AFTER(HOUR, "late", 1)]), "a fu"),
}


@pytest.mark.parametrize(("make", "advice"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_is_refused_when_the_scenario_is_made(
    make: Callable[[], object], advice: str
) -> None:
    with pytest.raises(ScenarioError) as refused:
        make()
    message = str(refused.value)
    assert advice in message
    assert "\n" not in message
    assert isinstance(refused.value, DacapoError)


def test_a_world_that_returns_no_context_manager_is_refused_when_it_is_run() -> None:
    with pytest.raises(ScenarioError, match="world must return a context manager"):
        run(SCENARIO(handler=handlers.steps, event=0, world=lambda: None))


def test_a_mistake_in_a_scenario_file_is_one_line_and_exit_status_2(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(
        "from dacapo import Scenario\nfrom tests.lab.handlers import steps\n"
        "wrong = Scenario(handler=steps, answers={'approval': 'yes'})\n"
    )
    assert_usage_error(dacapo("run", "orders.py:wrong", cwd=tmp_path), "write succeed('yes')")
