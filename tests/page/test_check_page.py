"""`dacapo check --html`: the page of a history that today's code breaks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dacapo as lab
from dacapo.history.events import to_json
from tests.command_line import assert_usage_error, dacapo
from tests.page import handlers
from tests.page.handlers import SECRET
from tests.page.written import model_in

CODE = """
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration

A_DAY = CallbackConfig(timeout=Duration.from_days(1), heartbeat_timeout=Duration.from_hours(3))

@durable_execution
def asks(event, context):
    answer = context.create_callback(name="decision", config=A_DAY).result()
    return context.step(lambda _: [event, answer], name="record")
"""


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "recording.json"
    lab.run(handlers.asked).save(path)
    return path


def code_of(folder: Path, old: str = "", new: str = "") -> Path:
    """Write today's handler, in which a text may be another one."""
    assert old in CODE
    file = folder / "today.py"
    file.write_text(CODE.replace(old, new) if old else CODE, "utf-8")
    return file


def test_the_finding_is_at_the_line_of_todays_handler_with_what_helps_those_in_flight(
    saved: Path, tmp_path: Path
) -> None:
    code, page = code_of(tmp_path, 'name="record"', 'name="note"'), tmp_path / "check.html"
    result = dacapo("check", str(saved), f"{code}:asks", "--html", str(page))
    assert result.returncode == 1
    assert "asks breaks 1 of 1 history. This page shows" in page.read_text("utf-8")
    (execution,) = model_in(page.read_text("utf-8"))["executions"]
    (finding,) = execution["findings"]
    assert finding["code"] == "different-operation"
    block = next(one for one in execution["source"]["blocks"] if one["is_handler"])
    assert 'name="note"' in block["lines"][finding["line"] - block["first"]]
    assert any("keep the old one, 'record'" in way for way in finding["fix"])


def test_of_many_histories_the_page_shows_one_that_breaks(saved: Path, tmp_path: Path) -> None:
    before, recording = tmp_path / "before.json", lab.run(handlers.asked)
    whole = to_json(recording.events)
    before.write_text(json.dumps({"Events": whole[: recording.invocations[0].events_after]}))
    code, page = code_of(tmp_path, 'name="record"', 'name="note"'), tmp_path / "check.html"
    result = dacapo("check", str(before), str(saved), f"{code}:asks", "--html", str(page))
    assert "asks breaks 1 of 2 histories" in result.stdout
    assert f"This page shows {saved}" in page.read_text("utf-8")


def test_code_that_survives_has_a_page_without_findings(saved: Path, tmp_path: Path) -> None:
    page = tmp_path / "check.html"
    result = dacapo("check", str(saved), f"{code_of(tmp_path)}:asks", "--html", str(page))
    assert result.returncode == 0
    (execution,) = model_in(page.read_text("utf-8"))["executions"]
    assert execution["findings"] == []
    assert execution["source"]["origin"] == "replay"
    assert all(one["lines"] for one in execution["passes"])


def test_a_handler_that_ends_its_process_has_the_page_of_its_history(
    saved: Path, tmp_path: Path
) -> None:
    code = tmp_path / "quits.py"
    code.write_text(
        "import os\n"
        "from aws_durable_execution_sdk_python import durable_execution\n"
        "@durable_execution\n"
        "def handler(event, context):\n"
        "    os.abort()\n"
    )
    page = tmp_path / "check.html"
    result = dacapo("check", str(saved), f"{code}:handler", "--html", str(page))
    assert (result.returncode, "Traceback" in result.stderr) == (1, False)
    (execution,) = model_in(page.read_text("utf-8"))["executions"]
    assert execution["findings"][0]["code"] == "died"
    assert len(execution["passes"]) == 2


def test_a_handler_that_reaches_for_the_network_has_the_page_of_its_history(
    saved: Path, tmp_path: Path
) -> None:
    outside = "(event, context):\n    import boto3; boto3.client('s3').list_buckets()"
    code, page = code_of(tmp_path, "(event, context):", outside), tmp_path / "check.html"
    result = dacapo("check", str(saved), f"{code}:asks", "--html", str(page))
    assert (result.returncode, "is not verified" in result.stdout) == (3, True)
    (execution,) = model_in(page.read_text("utf-8"))["executions"]
    assert execution["source"] is None


def test_without_payloads_the_page_has_none(saved: Path, tmp_path: Path) -> None:
    page = tmp_path / "check.html"
    command = ("check", str(saved), f"{code_of(tmp_path)}:asks", "--html", str(page))
    dacapo(*command)
    assert SECRET in page.read_text("utf-8")
    dacapo(*command, "--without-payloads")
    assert SECRET not in page.read_text("utf-8")


def test_a_directory_that_does_not_exist_is_refused_before_anything_is_replayed(
    saved: Path, tmp_path: Path
) -> None:
    page = tmp_path / "nowhere" / "check.html"
    result = dacapo("check", str(saved), f"{code_of(tmp_path)}:asks", "--html", str(page))
    assert_usage_error(result, "--html: there is no directory")
