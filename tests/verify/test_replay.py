"""`dacapo replay`: recordings and exported histories against today's code, as a deploy gate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Recording, Scenario, history, run
from dacapo.verify import gate, histories
from dacapo.verify.findings import Code
from dacapo.verify.log import Log
from tests.command_line import assert_mistake, dacapo
from tests.lab import handlers
from tests.verify import order
from tests.verify.deployment import Run
from tests.verify.in_flight import BREAKING, SAFE
from tests.verify.test_guard import end_the_process

ORDER = "tests.verify.order:base"
OTHER = "tests.lab.handlers:steps"


@pytest.fixture(scope="module")
def recording() -> Recording:
    return Run.of(order.base).recording


def export(recording: Recording, path: Path, **extra: Any) -> Path:
    """What `aws lambda get-durable-execution-history --include-execution-data` prints."""
    path.write_text(json.dumps({"Events": history.to_json(recording.events), **extra}))
    return path


def saved(recording: Recording, path: Path) -> Path:
    recording.save(path)
    return path


@pytest.mark.parametrize("write", [saved, export])
def test_the_code_that_made_a_history_survives_it(
    recording: Recording, tmp_path: Path, write: Callable[[Recording, Path], Path]
) -> None:
    file = write(recording, tmp_path / "history.json")
    done = dacapo("replay", str(file), ORDER, "--format", "json")
    assert done.returncode == 0, done.stderr
    (replayed,) = json.loads(done.stdout)["recordings"]
    assert (replayed["file"], replayed["findings"]) == (str(file), [])
    assert replayed["points"] > len(recording.operations)


def test_other_code_breaks_it_and_the_exit_status_is_1(
    recording: Recording, tmp_path: Path
) -> None:
    files = [str(saved(recording, tmp_path / f"{n}.json")) for n in range(2)]
    done = dacapo("replay", *files, OTHER)
    assert done.returncode == 1
    for text in ("proved: ", *files, f"{OTHER} breaks 2 of 2 histories"):
        assert text in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_the_order_in_which_events_were_exported_does_not_matter(
    recording: Recording, tmp_path: Path
) -> None:
    file = export(recording, tmp_path / "history.json")
    content = json.loads(file.read_text())
    file.write_text(json.dumps({"Events": content["Events"][::-1]}))
    assert gate.check(order.base, histories.load(file)).findings == []


def test_times_may_be_seconds_since_1970(recording: Recording, tmp_path: Path) -> None:
    file = export(recording, tmp_path / "history.json")
    content = json.loads(file.read_text())
    for event, original in zip(content["Events"], recording.events, strict=True):
        event["EventTimestamp"] = original["EventTimestamp"].timestamp()
    file.write_text(json.dumps(content))
    assert gate.check(order.base, histories.load(file)).findings == []


@pytest.mark.parametrize("length", [1, 5, 9, 17])
def test_an_execution_that_has_not_ended_is_replayed_as_far_as_it_is(
    recording: Recording, tmp_path: Path, length: int
) -> None:
    file = tmp_path / "history.json"
    file.write_text(json.dumps({"Events": history.to_json(recording.events[:length])}))
    replayed = gate.check(order.base, histories.load(file))
    assert replayed.findings == []
    assert replayed.points >= 1
    change = BREAKING["a step comes first"]
    assert gate.check(change.new, histories.load(file)).proved or length == 1


def test_a_safe_change_passes_and_a_breaking_one_does_not(recording: Recording) -> None:
    log = Log.of(recording)
    assert gate.check(SAFE["a step gets another body"].new, log).proved == []
    assert gate.check(BREAKING["a step is renamed"].new, log).proved


def test_of_a_long_history_a_choice_of_points_is_replayed_unless_all_are_wanted(
    tmp_path: Path,
) -> None:
    log = Log.of(run(Scenario(handler=handlers.steps, event=110)))
    few, all_of_them = gate.check(handlers.steps, log), gate.check(handlers.steps, log, None)
    assert 200 <= few.points < 210
    assert all_of_them.points == 221
    assert few.findings == all_of_them.findings == []


def test_a_call_of_aws_outside_every_step_is_a_finding_although_nobody_answers_it() -> None:
    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        boto3.client("sqs").list_queues()
        context.wait(Duration.from_days(1), name="a day")

    log = Log.of(run(Scenario(handler=handlers.waits, event=1)))
    (finding,) = gate.check(handler, log).proved
    assert finding.code is Code.EFFECT_OUTSIDE_STEP
    assert "sqs:ListQueues is called outside every step" in finding.message
    assert finding.place is not None
    assert finding.place.file == __file__


def test_a_handler_that_takes_its_process_with_it_is_a_finding() -> None:
    def handler(event: Any, context: Any) -> None:
        end_the_process()

    log = Log.of(run(Scenario(handler=handlers.steps, event=1)))
    (finding,) = gate.check_all(handler, {"a.json": log})["a.json"].findings
    assert finding.code is Code.DIED


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "holds neither a recording nor a history"),
        ('{"a": 1}', "holds neither a recording nor a history"),
        ('{"Events": []}', "does not begin with the start of an execution"),
    ],
)
def test_a_file_that_is_no_history_is_a_mistake_in_the_call(
    tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "history.json"
    file.write_text(content)
    assert_mistake(dacapo("replay", str(file), OTHER), message)


def test_a_file_that_is_not_there_is_a_mistake_in_the_call(tmp_path: Path) -> None:
    assert_mistake(dacapo("replay", str(tmp_path / "none.json"), OTHER), "can't be read")


def test_without_a_recording_the_call_is_a_mistake() -> None:
    assert_mistake(dacapo("replay", OTHER), "give a recording and a target")


def test_a_page_of_a_history_is_refused(recording: Recording, tmp_path: Path) -> None:
    file = export(recording, tmp_path / "history.json", NextMarker="more")
    with pytest.raises(histories.Unreadable, match="only a page"):
        histories.load(file)


def test_a_history_without_its_payloads_is_refused(recording: Recording, tmp_path: Path) -> None:
    file = export(recording, tmp_path / "history.json")
    content = json.loads(file.read_text())
    content["Events"][0]["ExecutionStartedDetails"]["Input"] = {"Truncated": False}
    file.write_text(json.dumps(content))
    with pytest.raises(histories.Unreadable, match="--include-execution-data"):
        histories.load(file)


def test_a_payload_that_was_cut_is_refused_by_the_name_of_its_operation(
    recording: Recording, tmp_path: Path
) -> None:
    file = export(recording, tmp_path / "history.json")
    content = json.loads(file.read_text())
    event = next(e for e in content["Events"] if e["EventType"] == "StepSucceeded")
    event["StepSucceededDetails"]["Result"]["Truncated"] = True
    file.write_text(json.dumps(content))
    assert_mistake(dacapo("replay", str(file), ORDER), f"the payload of {event['Name']!r}")
