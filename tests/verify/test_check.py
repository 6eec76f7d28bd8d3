"""`dacapo check`, the deploy check: replays recordings and exported histories with current code."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import HistoryError, Recording, Scenario, run
from dacapo.history import events, files
from dacapo.history.replay_log import Log
from dacapo.verify.deploy_check.checker import Job, Source, check_jobs
from dacapo.verify.deploy_check.replaying import Depth, check_log
from dacapo.verify.findings import Certainty, Code
from tests.command_line import assert_usage_error, dacapo
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
    """Write what `aws lambda get-durable-execution-history --include-execution-data` prints."""
    path.write_text(json.dumps({"Events": events.to_json(recording.events), **extra}))
    return path


def save(recording: Recording, path: Path) -> Path:
    recording.save(path)
    return path


@pytest.mark.parametrize("write", [save, export])
def test_the_code_that_wrote_a_history_passes(
    recording: Recording, tmp_path: Path, write: Callable[[Recording, Path], Path]
) -> None:
    file = write(recording, tmp_path / "history.json")
    result = dacapo("check", str(file), ORDER, "--format", "json")
    assert result.returncode == 0, result.stderr
    (replayed,) = json.loads(result.stdout)["recordings"]
    assert (replayed["file"], replayed["findings"]) == (os.path.relpath(file), [])
    assert replayed["verdict"] == "survives"
    assert replayed["points"] > len(recording.operations)


def test_other_code_fails_with_exit_status_1(recording: Recording, tmp_path: Path) -> None:
    files = [str(save(recording, tmp_path / f"{n}.json")) for n in range(2)]
    result = dacapo("check", *files, OTHER)
    assert result.returncode == 1
    for text in ("proved: ", *files, f"{OTHER} breaks 2 of 2 histories"):
        assert text in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.prove
def test_the_order_of_exported_events_does_not_matter(recording: Recording, tmp_path: Path) -> None:
    file = export(recording, tmp_path / "history.json")
    content = json.loads(file.read_text())
    file.write_text(json.dumps({"Events": content["Events"][::-1]}))
    assert check_log(order.base, files.load(file)).findings == []


def test_timestamps_may_be_seconds_since_1970(recording: Recording, tmp_path: Path) -> None:
    file = export(recording, tmp_path / "history.json")
    content = json.loads(file.read_text())
    for event, original in zip(content["Events"], recording.events, strict=True):
        event["EventTimestamp"] = original.timestamp.timestamp()
    file.write_text(json.dumps(content))
    assert check_log(order.base, files.load(file)).findings == []


@pytest.mark.parametrize("length", [1, 5, 9, 17])
def test_a_running_execution_is_replayed_up_to_its_last_event(
    recording: Recording, tmp_path: Path, length: int
) -> None:
    file = tmp_path / "history.json"
    file.write_text(json.dumps({"Events": events.to_json(recording.events[:length])}))
    replayed = check_log(order.base, files.load(file))
    assert replayed.findings == []
    assert replayed.points >= 1
    change = BREAKING["a step is added at the start"]
    assert check_log(change.new, files.load(file)).proved or length == 1


@pytest.mark.prove
def test_a_safe_change_passes_and_a_breaking_change_fails(recording: Recording) -> None:
    log = Log.of(recording)
    assert check_log(SAFE["a step gets another body"].new, log).proved == []
    assert check_log(BREAKING["a step is renamed"].new, log).proved


@pytest.mark.prove
def test_a_long_history_is_replayed_from_selected_points_unless_all_are_requested(
    tmp_path: Path,
) -> None:
    log = Log.of(run(Scenario(handler=handlers.steps, event=110)))
    selected, every_point = (
        check_log(handlers.steps, log),
        check_log(handlers.steps, log, depth=Depth(None)),
    )
    assert 200 <= selected.points < 210
    assert every_point.points == 221
    assert selected.findings == every_point.findings == []


def test_a_side_effect_outside_every_step_is_a_finding_even_without_a_response() -> None:
    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        boto3.client("sqs").create_queue(QueueName="queue")
        context.wait(Duration.from_days(1), name="a day")

    log = Log.of(run(Scenario(handler=handlers.waits, event=1)))
    (finding,) = check_log(handler, log).proved
    assert finding.code is Code.EFFECT_OUTSIDE_STEP
    assert "sqs:CreateQueue is called outside every step" in finding.message
    assert finding.place is not None
    assert finding.place.file == __file__


def ask_aws() -> None:
    boto3.client("sqs").list_queues()


def ask_an_extension() -> None:
    with urllib.request.urlopen("http://localhost:2773/systemsmanager/parameters/get") as response:
        response.read()


@pytest.mark.parametrize("ask", [ask_aws, ask_an_extension])
def test_a_question_that_nobody_answers_proves_nothing_and_ends_the_replays(
    ask: Callable[[], None],
) -> None:
    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        ask()
        context.wait(Duration.from_days(1), name="a day")

    log = Log.of(run(Scenario(handler=handlers.waits, event=1)))
    result = check_log(handler, log)
    assert result.points == 0
    assert "nobody to answer" in result.not_run
    assert {(f.code, f.certainty) for f in result.findings} <= {
        (Code.QUERY_OUTSIDE_STEP, Certainty.SUSPECTED)
    }


def test_a_handler_that_ends_its_process_is_a_finding() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        end_the_process()

    log = Log.of(run(Scenario(handler=handlers.steps, event=1)))
    (result,) = check_jobs([Job("", lambda: Scenario(handler=handler), [Source("a", lambda: log)])])
    (finding,) = result.findings
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
def test_a_file_without_a_history_is_a_usage_error(
    tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "history.json"
    file.write_text(content)
    assert_usage_error(dacapo("check", str(file), OTHER), message)


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    assert_usage_error(dacapo("check", str(tmp_path / "none.json"), OTHER), "can't be read")


def test_a_call_without_a_recording_is_a_usage_error() -> None:
    assert_usage_error(dacapo("check", OTHER), "give a recording and a target")


def test_a_single_page_of_a_history_is_refused(recording: Recording, tmp_path: Path) -> None:
    file = export(recording, tmp_path / "history.json", NextMarker="more")
    with pytest.raises(HistoryError, match="only a page"):
        files.load(file)


def test_a_history_without_payloads_is_refused(recording: Recording, tmp_path: Path) -> None:
    file = export(recording, tmp_path / "history.json")
    content = json.loads(file.read_text())
    content["Events"][0]["ExecutionStartedDetails"]["Input"] = {"Truncated": False}
    file.write_text(json.dumps(content))
    with pytest.raises(HistoryError, match="--include-execution-data"):
        files.load(file)


def test_a_truncated_payload_is_refused_and_its_operation_named(
    recording: Recording, tmp_path: Path
) -> None:
    file = export(recording, tmp_path / "history.json")
    content = json.loads(file.read_text())
    event = next(e for e in content["Events"] if e["EventType"] == "StepSucceeded")
    event["StepSucceededDetails"]["Result"]["Truncated"] = True
    file.write_text(json.dumps(content))
    assert_usage_error(dacapo("check", str(file), ORDER), f"the payload of {event['Name']!r}")
