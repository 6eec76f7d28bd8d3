"""Preorders in flight when their handler changes: each ends by the path that it began.

The tests deploy new code at every point of an execution of the first version, which is paused there
or crashes. The account is suspected of fraud, so the two paths end differently.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

import dacapo
from dacapo import ExternalEvent, Handler, Recording, Scenario, Verdict
from patterns.versioned import handler as today
from patterns.versioned import shop
from scenarios import versioned as scenarios
from scenarios.versioned import REFUSED, RESERVED, SETTLED
from scenarios.worlds.versioned import Preorders
from tests.command_line import dacapo as command
from tests.interference import Moment, crash_at, moments, watching
from tests.patterns import versions
from tests.patterns.recorded import FIRST_VERSION, IN_FLIGHT, first_version

lambda_client: Any = boto3.client("lambda")

CLIENTS = [shop.dynamodb]
CALLS = ["PutItem"] * len(SETTLED)
"""The calls of the first version."""
HOUR = timedelta(hours=1)
RUNS = (timedelta(0), scenarios.RELEASE, scenarios.RELEASE + timedelta(days=14))
"""When the handler runs: its steps take no time, its waits do."""
HISTORIES = sorted(FIRST_VERSION.glob("*.json"))
SOURCE = Path(today.__file__).read_text()


class Function:
    """A function that executions run as `$LATEST`: with the code that is deployed now.

    Parameters:
        code: the code that is deployed first.
    """

    def __init__(self, code: Handler) -> None:
        self.code = code
        # Marks a durable handler, as the SDK's decorator does.
        self.__wrapped__ = code
        self.ran: list[Handler] = []
        self.execution = ""

    def __call__(self, event: Any, context: Any) -> Any:
        self.execution = event["DurableExecutionArn"]
        self.ran.append(self.code)
        return self.code(event, context)

    def deploy(self, code: Handler) -> None:
        """Replace the code."""
        self.code = code

    def pause(self) -> None:
        """Pause the execution at its next checkpoint."""
        lambda_client.pause_durable_execution(DurableExecutionArn=self.execution)

    def resume_with(self, code: Handler) -> None:
        """Deploy code and resume the execution, if it is paused."""
        status = lambda_client.get_durable_execution(DurableExecutionArn=self.execution)["Status"]
        if status == "PAUSED":
            self.deploy(code)
            lambda_client.resume_durable_execution(DurableExecutionArn=self.execution)


@contextmanager
def paused_in(function: Function, call: int) -> Iterator[None]:
    """Context manager that pauses the execution in the step of this call, by its number from 0.

    The pause begins at the next checkpoint, which stores the step's result.
    """

    def visit(number: int, when: str) -> None:
        if (number, when) == (call, "after"):
            function.pause()

    with watching(CLIENTS, visit):
        yield


def suspected(function: Function, *events: ExternalEvent) -> Scenario:
    """Return a preorder whose account is suspected of fraud from the start."""
    return replace(scenarios.refused, handler=function, external_events=events)


def event(after: timedelta, action: Callable[[], object]) -> ExternalEvent:
    return ExternalEvent(after, "an operator acts", lambda _: action())


def assert_ends(recording: Recording, written: list[str]) -> None:
    """Assert that the execution ended by the path that writes this, and did nothing twice."""
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.broken_invariant is None
    assert recording.world.written == written
    assert recording.world.checks == (written == REFUSED)


@pytest.fixture
def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Handler]:
    """Return a function that makes a handler of today's source with one line changed."""
    monkeypatch.syspath_prepend(tmp_path)

    def edit(pattern: str, replacement: str) -> Handler:
        assert SOURCE.count(pattern) == 1
        name = f"versioned_{re.sub(r'[^a-z0-9]', '_', tmp_path.name)}"
        (tmp_path / f"{name}.py").write_text(SOURCE.replace(pattern, replacement))
        importlib.invalidate_caches()
        handler: Handler = importlib.import_module(name).handler
        return handler

    return edit


# -- executions of the first version meet today's code --------------------------------------------


def test_the_first_version_charges_without_a_check() -> None:
    with watching(CLIENTS) as calls:
        recording = dacapo.run(suspected(Function(versions.first)))
    assert_ends(recording, SETTLED)
    assert calls.names == CALLS
    assert "version" not in recording.operation("reserve the item").result


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_an_execution_paused_after_any_step_continues_by_the_path_that_it_began(
    number: int,
) -> None:
    function = Function(versions.first)
    resuming = [event(at + HOUR, lambda: function.resume_with(today.handler)) for at in RUNS]
    with paused_in(function, number):
        recording = dacapo.run(suspected(function, *resuming))
    assert_ends(recording, SETTLED)
    assert {*function.ran} == {versions.first, today.handler}, "new code didn't take over"
    assert [e.type for e in recording.events].count("ExecutionPaused") == 1


@pytest.mark.parametrize("late", [HOUR, timedelta(days=60)], ids=["1h", "60d"])
@pytest.mark.parametrize("paused", IN_FLIGHT.values(), ids=IN_FLIGHT)
def test_an_execution_paused_in_a_wait_continues_by_the_path_that_it_began(
    paused: timedelta, late: timedelta
) -> None:
    function = Function(versions.first)
    scenario = suspected(
        function,
        event(paused, function.pause),
        event(paused + late, lambda: function.resume_with(today.handler)),
    )
    recording = dacapo.run(scenario)
    assert_ends(recording, SETTLED)
    assert function.ran[-1] is today.handler, "new code didn't take over"
    assert [e.type for e in recording.events].count("ExecutionResumed") == 1


@pytest.mark.parametrize("number", range(len(RUNS)))
def test_an_execution_paused_between_two_attempts_takes_the_path_that_is_recorded(
    number: int,
) -> None:
    """While the first step has no result, no path is recorded, so it takes the new one."""
    function, at = Function(versions.first), RUNS[number] - HOUR
    scenario = suspected(
        function,
        ExternalEvent(max(at, timedelta(0)), "the table throttles", Preorders.throttle),
        event(at + 2 * HOUR, function.pause),
        event(at + 4 * HOUR, lambda: function.resume_with(today.handler)),
        ExternalEvent(at + 5 * HOUR, "the table recovers", Preorders.recover),
    )
    recording = dacapo.run(scenario)
    assert_ends(recording, REFUSED if number == 0 else SETTLED)
    types = [e.type for e in recording.events]
    paused = types.index("ExecutionPaused")
    assert types[paused - 2 : paused] == ["StepFailed", "InvocationCompleted"]
    assert types[paused + 1 : paused + 3] == ["ExecutionResumed", "StepStarted"]


@pytest.mark.parametrize("moment", moments(len(CALLS)), ids=str)
def test_an_execution_that_crashes_continues_by_the_path_that_it_recorded(moment: Moment) -> None:
    """One that crashes in its first step has recorded no path yet, so it takes the new one."""
    function = Function(versions.first)

    def deploy_at_crash(number: int, when: str) -> None:
        if (number, when) == moment:
            function.deploy(today.handler)

    with watching(CLIENTS, deploy_at_crash), crash_at(CLIENTS, moment) as crashes:
        recording = dacapo.run(suspected(function))
    assert crashes
    assert {*function.ran} == {versions.first, today.handler}, "new code didn't take over"
    assert_ends(recording, REFUSED if moment[0] == 0 else SETTLED)


# -- executions of today's version, and a rollback -------------------------------------------------


def test_an_execution_that_begins_now_records_its_version_and_is_checked() -> None:
    recording = dacapo.run(suspected(Function(today.handler)))
    assert_ends(recording, REFUSED)
    assert recording.operation("reserve the item").result["version"] == today.WITH_FRAUD_CHECK
    assert len(recording.invocations) > 1, "nothing was replayed"


def test_a_rollback_sends_new_executions_the_old_way_and_leaves_those_in_flight_on_theirs(
    edited: Callable[..., Handler],
) -> None:
    rolled_back = edited("CURRENT = WITH_FRAUD_CHECK", "CURRENT = FIRST")
    assert_ends(dacapo.run(suspected(Function(rolled_back))), SETTLED)
    function = Function(today.handler)
    deploy = event(timedelta(days=10), lambda: function.deploy(rolled_back))
    assert_ends(dacapo.run(suspected(function, deploy)), REFUSED)
    assert function.ran == [today.handler, rolled_back]


def test_code_without_the_path_of_an_execution_fails_it_by_name_before_anything_is_charged(
    edited: Callable[..., Handler],
) -> None:
    older = edited("VERSIONS = (FIRST, WITH_FRAUD_CHECK)", "VERSIONS = (FIRST,)")
    function = Function(today.handler)
    deploy = event(timedelta(days=10), lambda: function.deploy(older))
    scenario = replace(suspected(function, deploy), expects="UnknownVersion")
    recording = dacapo.run(scenario)
    assert recording.error is not None
    assert "version 2 was rolled back" in (recording.error.message or "")
    assert recording.world.written == RESERVED


# -- the deploy check ------------------------------------------------------------------------------


def test_the_recorded_histories_are_those_of_the_first_version() -> None:
    recorded = dict(first_version())
    assert [path.stem for path in HISTORIES] == sorted(recorded)
    for path in HISTORIES:
        ours = Recording.load(path)
        assert [(o.path, o.status) for o in ours.operations] == [
            (o.path, o.status) for o in recorded[path.stem].operations
        ]
    assert {path.stem for path in HISTORIES} > IN_FLIGHT.keys()


def test_the_check_finds_every_history_of_the_first_version_safe() -> None:
    results = dacapo.check(today.handler, HISTORIES, points=None)
    assert [(result.verdict, result.findings) for result in results] == [
        (Verdict.SURVIVES, []) for _ in HISTORIES
    ]
    assert all(result.points > 1 for result in results), "nothing was replayed"


ALL = {"settled", "waits_for_release", "waits_for_returns"}
PAST_THE_CHANGE = {"settled", "waits_for_returns"}


@pytest.mark.parametrize(
    ("edit", "broken"),
    [
        (versions.inserted, PAST_THE_CHANGE),
        (versions.decided_at_the_change, PAST_THE_CHANGE),
        (versions.decided_in_front, ALL),
    ],
    ids=["inserted", "decided at the change", "decided in front"],
)
def test_the_check_finds_the_executions_that_another_edit_breaks(
    edit: Handler, broken: set[str]
) -> None:
    results = dict(zip(HISTORIES, dacapo.check(edit, HISTORIES), strict=True))
    assert {p.stem for p, r in results.items() if r.verdict is Verdict.BREAKS} == broken
    assert {p.stem for p, r in results.items() if r.verdict is Verdict.SURVIVES} == ALL - broken


@pytest.mark.parametrize("days", [10, 35])
@pytest.mark.parametrize("edit", [versions.inserted, versions.decided_at_the_change])
def test_the_check_is_right_about_the_naive_edits(edit: Handler, days: int) -> None:
    """An execution that is past the change really fails, and one that isn't is checked."""
    function = Function(versions.first)
    deploy = event(timedelta(days=days), lambda: function.deploy(edit))
    scenario = suspected(function, deploy)
    if days == 10:
        assert_ends(dacapo.run(scenario), REFUSED)
        return
    recording = dacapo.run(replace(scenario, expects="NonDeterministicExecutionError"))
    assert recording.status == "FAILED"
    assert recording.world.written == SETTLED[:-1], "the seller was paid"


def test_the_command_passes_the_pattern_and_fails_the_naive_edit() -> None:
    files = list(map(str, HISTORIES))
    safe = command("check", *files, "patterns.versioned.handler:handler")
    assert safe.returncode == 0, safe.stdout
    naive = command("check", *files, "tests.patterns.versions:inserted")
    assert naive.returncode == 1
    assert "check for fraud" in naive.stdout
