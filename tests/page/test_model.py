"""The model of a page: what each invocation read back, did, and saw, and why it was invoked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import dacapo
from dacapo import Scenario
from dacapo.history import reading
from dacapo.history.events import to_json
from dacapo.report.page import passes
from dacapo.report.page.build import execution_of, page_from
from dacapo.report.page.model import Execution, Pass, without_payloads
from dacapo.report.page.passes import MOST_TRACED, chosen, replayed, watch
from tests.page import handlers
from tests.page.handlers import SECRET, line_of


@cache
def execution(name: str) -> Execution:
    return execution_of(watch(getattr(handlers, name)))


def read_back(of: Execution, run: Pass) -> list[str]:
    """Apply the rule that the model documents."""
    return [
        one.path
        for one in of.operations
        if one.ended is not None
        and one.ended < run.before
        and (one.hidden is None or one.hidden >= run.before)
    ]


def lines_of(run: Pass) -> dict[int, int]:
    assert run.lines is not None
    return dict(run.lines)


def test_each_invocation_has_the_lines_that_ran_in_it() -> None:
    first, second = execution("asked").passes
    assert lines_of(first)[line_of("answer = callback.result()")] == 1
    assert line_of("return context.step(lambda _: [event, answer]") not in lines_of(first)
    assert lines_of(second)[line_of("return context.step(lambda _: [event, answer]")] == 1


def test_a_line_says_how_often_it_ran() -> None:
    counts = [lines_of(one)[line_of("total += context.step")] for one in execution("looped").passes]
    assert counts == [1, 2, 3, 3]


def test_an_except_that_does_not_match_did_not_run() -> None:
    (first, second) = execution("asked").passes
    suspended = line_of("answer = callback.result()")
    assert list(first.suspended_at) == [suspended], "an exception went past the except"
    assert line_of("except CallbackError:") not in {*lines_of(first), *lines_of(second)}
    last = execution("beaten").passes[-1]
    assert line_of("except CallbackError:") in lines_of(last), "one that matches did"


def test_a_statement_of_several_lines_is_one() -> None:
    start = line_of('name=f"wait {number}"') - 2
    for one in execution("looped").passes[:-1]:
        assert start in lines_of(one)
        assert start + 2 not in lines_of(one)
    waits = [one for one in execution("looped").operations if one.kind == "Wait"]
    assert {one.line for one in waits} == {start}


def test_what_is_read_back_is_what_the_recording_says() -> None:
    for name in ("asked", "looped", "retried", "fanned"):
        recording = dacapo.run(getattr(handlers, name))
        of = execution(name)
        assert len(of.passes) == len(recording.invocations) > 1
        for one, invocation in zip(of.passes, recording.invocations, strict=True):
            expected = {o.path for o in recording.replayed_in(invocation)}
            assert set(read_back(of, one)) == expected
            assert one.read == len(recording.replayed_in(invocation))
            done = {of.operations[n].path for n in one.done}
            assert done == {o.path for o in recording.done_in(invocation)}


def test_branches_are_not_read_back_once_their_batch_has_ended() -> None:
    of = execution("fanned")
    assert read_back(of, of.passes[-1]) == ["all", "pause"]
    assert sum(one.depth == 2 for one in of.operations) == 20


def test_an_operation_comes_right_after_what_it_is_in() -> None:
    operations = execution("fanned").operations
    for before, after in pairwise(operations):
        assert after.depth <= before.depth + 1
    assert all(one.parent is None or one.parent < n for n, one in enumerate(operations))


def test_each_invocation_says_what_woke_it() -> None:
    assert [one.woken_by for one in execution("looped").passes[:2]] == [
        "the execution started",
        "wait 'wait 0' elapsed",
    ]
    answered = execution("asked").passes[1]
    assert answered.woken_by == "callback 'decision' was answered by the scenario"
    assert answered.cause == 0
    assert execution("beaten").passes[1].woken_by == "callback 'decision' timed out"
    assert execution("retried").passes[1].woken_by == "the retry of 'try' was due"


def test_attempts_and_heartbeats_are_in_their_operation() -> None:
    (attempt,) = execution("retried").operations[0].attempts
    assert attempt.error is not None
    assert (attempt.succeeded, attempt.error.type) == (False, "Busy")
    assert attempt.delay > 0
    callback = execution("beaten").operations[0]
    assert [(one.kind, one.at) for one in callback.deliveries] == [
        ("heartbeat", 7200.0),
        ("heartbeat", 14400.0),
    ]
    assert (callback.status, callback.heartbeat_timeout) == ("TIMED_OUT", 10800)


def test_an_effect_outside_a_step_is_seen_again_in_the_next_invocation() -> None:
    of = execution("asked")
    assert of.effects is not None
    assert [(one.what, one.run, one.again) for one in of.effects] == [
        ("mail:Send", 1, 0),
        ("mail:Send", 2, 1),
    ]
    assert {one.line for one in of.effects} == {line_of('dacapo.effect("mail:Send"')}
    assert of.effects[0].operation is None, "it is in no step"


def test_a_suspension_names_what_the_handler_waits_for() -> None:
    (only,) = execution("stuck").passes
    of = execution("stuck")
    assert [of.operations[n].name for n in only.waiting] == ["nobody"]
    assert of.never_resumed == "'nobody'"
    assert not of.has_ended


def test_the_model_survives_json() -> None:
    page = page_from([execution("asked"), execution("beaten")])
    assert json.loads(json.dumps(page.to_json()))["schema"] == 1


@pytest.mark.parametrize("name", ["asked", "retried", "looped", "fanned"])
def test_a_page_without_payloads_holds_none_and_no_callback_id(name: str) -> None:
    scenario = getattr(handlers, name)
    ids = [
        operation.stored.callback_details.callback_id
        for operation in dacapo.run(scenario).operations
        if operation.stored.callback_details
    ]
    page = page_from([execution(name)])
    full, bare = (json.dumps(one.to_json()) for one in (page, without_payloads(page)))
    if name in ("asked", "retried"):
        assert SECRET in full, "there is something to remove"
    assert SECRET not in bare
    assert not any(one in bare for one in ids)
    assert '"name": "' in bare, "the rest is there"


def test_two_executions_are_aligned_and_part_where_they_differ() -> None:
    page = page_from([execution("looped"), execution("looped")])
    assert page.parting is None
    assert page.rows == [(n, n) for n in range(6)]
    other = page_from([execution("asked"), execution("beaten")])
    assert other.parting is not None
    assert "'decision' is SUCCEEDED in the first, and TIMED_OUT in the second" in str(other.parting)


def test_the_same_operation_in_another_invocation_parts_them() -> None:
    early, late = execution("looped"), execution("looped")
    moved = [replace(one, begun=early.passes[1].before) for one in early.operations[:1]]
    early = replace(early, operations=[*moved, *early.operations[1:]])
    parting = page_from([late, early]).parting
    assert parting is not None
    assert parting.run == 1
    assert "is begun in invocation 1 in the first, and in invocation 2 in the" in parting.sentence


def exported(scenario: Scenario, tmp_path: Path, pages: Callable[[list[Any]], str]) -> Path:
    path = tmp_path / "history.json"
    path.write_text(pages(to_json(dacapo.run(scenario).events)))
    return path


def one_page(events: list[Any]) -> str:
    return json.dumps({"Events": events}, indent=1)


def many_pages(events: list[Any]) -> str:
    parts = [events[n : n + 2] for n in range(0, len(events), 2)]
    pages = [{"Events": part, "NextMarker": str(n)} for n, part in enumerate(parts)]
    del pages[-1]["NextMarker"]
    return "\n".join(json.dumps(page) for page in pages)


def listed_pages(events: list[Any]) -> str:
    return json.dumps([json.loads(line) for line in many_pages(events).splitlines()])


@pytest.mark.parametrize("pages", [one_page, many_pages, listed_pages])
@pytest.mark.parametrize("name", ["asked", "looped", "retried", "fanned", "beaten"])
def test_an_exported_history_gives_the_invocations_and_the_bill_of_the_run(
    name: str, pages: Callable[[list[Any]], str], tmp_path: Path
) -> None:
    scenario = getattr(handlers, name)
    expected = dacapo.run(scenario)
    history = reading.read(exported(scenario, tmp_path, pages))
    recording = history.recording
    assert (history.origin, history.is_whole) == ("export", True)
    assert (recording.status, recording.output) == (expected.status, expected.output)
    assert recording.charged_operations == expected.charged_operations
    assert [o.path for o in recording.operations] == [o.path for o in expected.operations]
    for ours, theirs in zip(recording.invocations, expected.invocations, strict=True):
        assert (ours.started, ours.ended, ours.status) == (
            theirs.started,
            theirs.ended,
            theirs.status,
        )
        assert (ours.events_before, ours.events_after) == (
            theirs.events_before,
            theirs.events_after,
        )


def test_an_exported_history_is_replayed_by_todays_handler(tmp_path: Path) -> None:
    path = exported(handlers.asked, tmp_path, one_page)
    of = execution_of(replayed(reading.read(path).recording, handlers.asked), "export")
    run = execution("asked")
    assert of.source is not None
    assert (of.source.origin, of.source.divergence) == ("replay", "")
    assert [lines_of(one).keys() for one in of.passes] == [
        lines_of(one).keys() for one in run.passes
    ]
    assert [one.line for one in of.operations] == [one.line for one in run.operations]
    assert of.effects is None, "a history does not say what the world saw"


@pytest.mark.parametrize(
    ("today", "difference"),
    [("stuck", "name checkpoint='decision' current='nobody'"), ("looped", "it raises TypeError")],
)
def test_what_todays_handler_does_otherwise_is_named(
    today: str, difference: str, tmp_path: Path
) -> None:
    path = exported(handlers.asked, tmp_path, one_page)
    of = execution_of(replayed(reading.read(path).recording, getattr(handlers, today)), "export")
    assert of.source is not None
    assert difference in of.source.divergence


def test_a_history_without_its_payloads_is_shown_but_not_replayed(tmp_path: Path) -> None:
    def stripped(events: list[Any]) -> str:
        text = json.dumps({"Events": events})
        assert SECRET in text
        for event in events:
            for details in event.values():
                if isinstance(details, dict):
                    for member in ("Result", "Input", "Error"):
                        if member in details:
                            details[member] = {"Truncated": True}
        return json.dumps({"Events": events})

    history = reading.read(exported(handlers.asked, tmp_path, stripped))
    assert not history.is_whole
    assert [one.name for one in history.recording.operations] == ["decision", "record"]
    assert SECRET not in json.dumps(
        execution_of(passes.Watched(history.recording)).__dict__, default=str
    )


def test_an_execution_in_flight_is_open(tmp_path: Path) -> None:
    def begun(events: list[Any]) -> str:
        return json.dumps({"Events": events[:3]})

    recording = reading.read(exported(handlers.asked, tmp_path, begun)).recording
    of = execution_of(passes.Watched(recording), "export")
    assert (of.status, of.has_ended, of.never_resumed) == ("RUNNING", False, "")
    assert [one.ended for one in of.operations] == [None]


@pytest.mark.parametrize("count", [1, MOST_TRACED, MOST_TRACED + 1, 1500])
def test_lines_are_traced_for_both_ends_of_a_long_execution(count: int) -> None:
    numbers = chosen(count)
    assert {0, count - 1} <= numbers
    assert len(numbers) == count if count <= MOST_TRACED else len(numbers) <= MOST_TRACED + 1
    assert max(numbers) < count
