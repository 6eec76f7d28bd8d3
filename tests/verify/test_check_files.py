"""Histories that `dacapo check` is given, and was not made for: handled, or refused in one line."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.concurrency.models import BatchResult
from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from dacapo import HistoryError, Scenario, check, run
from dacapo.history import events, files
from dacapo.history.points import DEFAULT_POINTS
from dacapo.verify.configuration import NO_CONFIGURATION
from dacapo.verify.deploy_check.checker import Checking, Source, check_jobs
from dacapo.verify.deploy_check.results import CheckResult
from dacapo.verify.findings import Verdict
from tests.command_line import assert_usage_error, dacapo
from tests.verify import fleet

TARGET = "tests.verify.fleet:handler"
DEEP = 100_000


@durable_execution
def everything(event: Any, context: DurableContext) -> list[int]:
    """Use operations of most kinds, so that there is much to damage."""

    def inside(child: DurableContext) -> int:
        child.wait(Duration.from_hours(1), name="an hour")
        return child.step(lambda _: 1, name="count")

    one = context.run_in_child_context(inside, name="inside")

    def of_each(child: DurableContext, item: int, *_: Any) -> int:
        return child.step(lambda _: item, name="item")

    both: BatchResult[int] = context.map([1, 2], of_each, name="both")
    callback = context.create_callback(name="answer")
    callback.result()
    return [one, *both.get_results()]


@pytest.fixture(scope="module")
def history() -> dict[str, Any]:
    from dacapo import succeed  # noqa: PLC0415

    recording = run(
        Scenario(handler=everything, event={"number": 1}, answers={"answer": succeed(1)})
    )
    assert recording.status == "SUCCEEDED"
    return {"Events": events.to_json(recording.events)}


def refused(tmp_path: Path, content: Any) -> str:
    """Return what the check says of a file, in one line and with status 2."""
    file = tmp_path / "history.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    done = dacapo("check", str(file), TARGET)
    assert_usage_error(done, str(file))
    return done.stderr.strip().splitlines()[-1]


def of_a_step(history: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Return the history with other members in the event of a step that succeeded."""
    changed = copy.deepcopy(history)
    event = next(one for one in changed["Events"] if one["EventType"] == "StepSucceeded")
    event.update(members)
    return changed


def test_the_undamaged_history_survives(history: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "history.json"
    file.write_text(json.dumps(history))
    (result,) = check(everything, file)
    assert (result.verdict, result.findings) == (Verdict.SURVIVES, [])


def test_the_history_of_another_languages_sdk_is_refused(
    history: dict[str, Any], tmp_path: Path
) -> None:
    text = json.dumps(history)
    ids = {event["Id"] for event in history["Events"] if "Id" in event}
    assert len(ids) > 3
    for number, key in enumerate(sorted(ids)):
        other = hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()[:16]
        text = text.replace(key, other)
    assert "was written by another SDK" in refused(tmp_path, text)


def test_operations_inside_virtual_contexts_are_the_python_sdks(tmp_path: Path) -> None:
    from aws_durable_execution_sdk_python.config import ChildConfig  # noqa: PLC0415

    @durable_execution
    def handler(event: Any, context: DurableContext) -> int:
        def inside(child: DurableContext) -> int:
            return child.step(lambda _: 1, name="count")

        return context.run_in_child_context(inside, "inside", ChildConfig(is_virtual=True))

    (result,) = check(handler, run(Scenario(handler=handler)))
    file = tmp_path / "history.json"
    file.write_text(json.dumps({"Events": events.to_json(run(Scenario(handler=handler)).events)}))
    assert check(handler, file)[0].verdict is result.verdict is Verdict.SURVIVES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: {**h, "Format": 2}, "a format that is newer than this dacapo"),
        (lambda h: of_a_step(h, EventType="StepForgotten"), "does not know ('StepForgotten')"),
    ],
)
def test_a_newer_format_is_refused(
    history: dict[str, Any], tmp_path: Path, change: Callable[[Any], Any], message: str
) -> None:
    assert message in refused(tmp_path, change(history))


@pytest.mark.parametrize(
    "members",
    [
        {"EventId": "seven"},
        {"EventId": -1},
        {"EventId": 1},
        {"EventId": 10**400},
        {"EventId": math.inf},
        {"EventTimestamp": "yesterday"},
        {"EventTimestamp": 1e300},
        {"EventTimestamp": math.nan},
        {"EventTimestamp": None},
        {"Name": {"a": 1}},
        {"ParentId": 7},
        {"StepSucceededDetails": "none"},
        {"StepSucceededDetails": {"Result": {"Payload": 7}}},
        {"StepSucceededDetails": {"RetryDetails": {"CurrentAttempt": "many"}}},
        {"StepSucceededDetails": {"RetryDetails": {"NextAttemptDelaySeconds": 10**15}}},
    ],
    ids=str,
)
def test_an_impossible_number_time_or_object_is_refused(
    history: dict[str, Any], tmp_path: Path, members: dict[str, Any]
) -> None:
    refused(tmp_path, of_a_step(history, **members))


def test_contexts_in_a_circle_are_refused(history: dict[str, Any], tmp_path: Path) -> None:
    inside = next(e for e in history["Events"] if e.get("Name") == "inside")
    count = next(e for e in history["Events"] if e.get("Name") == "count")
    circle = copy.deepcopy(history)
    for event in circle["Events"]:
        if event.get("Id") == inside["Id"]:
            event["ParentId"] = count["Id"]
    assert "in a circle" in refused(tmp_path, circle)


@pytest.mark.prove
def test_contexts_too_deep_inside_each_other_are_refused(
    history: dict[str, Any], tmp_path: Path
) -> None:
    start = history["Events"][0]
    ids = [hashlib.blake2b(str(n).encode()).hexdigest()[:64] for n in range(DEEP)]
    nested = [
        {
            "EventType": "ContextStarted",
            "EventId": n + 2,
            "Id": key,
            "Name": "inside",
            **({"ParentId": ids[n - 1]} if n else {}),
            "EventTimestamp": start["EventTimestamp"],
            "ContextStartedDetails": {},
        }
        for n, key in enumerate(ids)
    ]
    assert "inside each other" in refused(tmp_path, {"Events": [start, *nested]})


def test_json_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    assert "nested too deeply" in refused(tmp_path, "[" * DEEP + "]" * DEEP)


def test_a_payload_that_is_nested_too_deeply_to_be_read_is_a_failure_of_the_handler(
    history: dict[str, Any], tmp_path: Path
) -> None:
    payload = "[" * DEEP + "]" * DEEP
    changed = of_a_step(history, StepSucceededDetails={"Result": {"Payload": payload}})
    file = tmp_path / "history.json"
    file.write_text(json.dumps(changed))
    done = dacapo("check", str(file), "tests.verify.test_check_files:everything")
    assert done.returncode in (1, 3)
    assert "Traceback" not in done.stdout + done.stderr


@durable_execution
def fails_in_a_context(event: Any, context: DurableContext) -> str:
    def inside(child: DurableContext) -> None:
        raise ValueError("nothing inside")

    try:
        context.run_in_child_context(inside, name="inside")
    except Exception as error:  # noqa: BLE001 - the SDK's error is not what this is about
        return str(error)
    return "unexpected"


def test_a_history_of_awss_own_runner_is_replayed_though_it_says_truncated(tmp_path: Path) -> None:
    with DurableFunctionTestRunner(handler=fails_in_a_context) as runner:
        arn = runner.run_async(input="null", timeout=10)
        runner.wait_for_result(arn, timeout=10)
        exported = runner.get_execution_history(arn, include_execution_data=True).to_dict()
    failed = next(one for one in exported["Events"] if one["EventType"] == "ContextFailed")
    assert failed["ContextFailedDetails"]["Error"]["Truncated"] is True
    assert failed["ContextFailedDetails"]["Error"]["Payload"]
    file = tmp_path / "history.json"
    file.write_text(json.dumps(exported, default=str))
    (result,) = check(fails_in_a_context, file)
    assert result.verdict is Verdict.SURVIVES


def test_a_history_without_data_says_how_to_get_it(history: dict[str, Any], tmp_path: Path) -> None:
    changed = copy.deepcopy(history)
    changed["Events"][0]["ExecutionStartedDetails"] = {}
    assert "holds no payloads: fetch it with its data" in refused(tmp_path, changed)


def test_a_damaged_file_among_others_is_counted_and_hides_none(tmp_path: Path) -> None:
    folder = fleet.write(tmp_path / "histories", 3)
    (folder / "0001.json").write_text("{")
    done = dacapo("check", str(folder), "tests.verify.fleet:renamed")
    assert done.returncode == 2
    assert "1  not replayed, in 1 of 3 histories" in done.stdout
    assert "different-operation, in 2 of 3 histories" in done.stdout


def test_several_damaged_files_are_one_line(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text("{")
    assert_usage_error(dacapo("check", str(tmp_path), TARGET), "(and 1 more file")


def test_the_api_raises_for_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(HistoryError, match="is not JSON"):
        check(fleet.handler, tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=9), inner, max_size=2)
    ),
    max_leaves=4,
)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each part of a JSON value."""
    yield path
    parts: Any = ()
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        yield from places_in(part, (*path, key))


def damaged(content: Any, data: st.DataObject) -> Any:
    """Return the content with a part of it removed, repeated, or replaced."""
    content = copy.deepcopy(content)
    *path, last = data.draw(st.sampled_from([p for p in places_in(content) if p]))
    around = content
    for key in path:
        around = around[key]
    kind = data.draw(st.sampled_from(["remove", "repeat", "replace"]))
    if kind == "remove":
        del around[last]
    elif kind == "repeat" and isinstance(around, list):
        around.insert(last, copy.deepcopy(around[last]))
    else:
        around[last] = data.draw(JSON)
    return content


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
@pytest.mark.prove
def test_whatever_is_damaged_in_a_history_it_is_checked_or_refused(
    history: dict[str, Any], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = damaged(history, data)
    if data.draw(st.booleans()):
        content = damaged(content, data)
    file = tmp_path_factory.mktemp("damaged") / "history.json"
    file.write_text(json.dumps(content))
    checking = Checking(NO_CONFIGURATION, DEFAULT_POINTS, count=300)
    source = Source(str(file), lambda: files.load(file))
    result = checking.replay_one(Scenario(handler=everything), "", source, 0, lambda: None)
    assert isinstance(result, CheckResult)
    assert result.damage.startswith(f"{file} ") or result.points > 0 or result.findings
    assert "\n" not in result.damage


def test_nothing_to_check_is_nothing_checked() -> None:
    assert check_jobs([]) == []
