"""`dacapo run`: output, exit status and usage errors."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dacapo import Recording
from dacapo.cli.exit_status import MEANINGS
from dacapo.service import quotas
from tests.command_line import assert_usage_error, dacapo, fresh_dacapo
from tests.depth import every

HANDLERS = "tests.lab.handlers"


@pytest.mark.parametrize("start", [dacapo, fresh_dacapo])
def test_a_scenario_in_a_file_is_run_and_its_timeline_printed(
    start: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    result = start("run", "scenarios/event_callback.py:event_on_time")
    assert (result.returncode, result.stderr) == (0, "")
    for part in (
        "event_callback · event_on_time  SUCCEEDED  after 6h 00m",
        "answered by resolver",
        "durable operations      6 operations    $0.00004800",
    ):
        assert part in result.stdout


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("scenario", ["polling.py:finishes", "event_callback.py:event_too_soon"])
def test_a_timeline_is_never_wider_than_the_terminal(columns: int, scenario: str) -> None:
    result = dacapo("run", f"scenarios/{scenario}", columns=columns)
    assert max(len(line) for line in result.stdout.splitlines()) <= columns


def test_a_scenario_in_a_module_is_run() -> None:
    result = dacapo("run", "scenarios.polling:already_running")
    assert result.returncode == 0, "the scenario expects that"
    assert "MigrationNotStarted" in result.stdout


def test_a_handler_is_run_with_an_event_and_answers_and_its_recording_saved(tmp_path: Path) -> None:
    saved = tmp_path / "recording.json"
    result = dacapo(
        *("run", f"{HANDLERS}:two_callbacks", "--event", "null", "--seed", "5"),
        *("--answer", 'twice={"mail": "a@b.c"}@90s', "--answer", "twice=2@2h"),
        *("--format", "json", "--save", str(saved)),
    )
    assert (result.returncode, result.stderr) == (0, "")
    printed = json.loads(result.stdout)
    assert printed["result"] == ['{"mail": "a@b.c"}', "2"]
    assert printed["virtual_seconds"] == 90 + 7200
    assert (printed["invocations"], printed["seed"], printed["status"]) == (3, 5, "SUCCEEDED")
    assert {"updates", "charged_operations", "bytes_written", "error"} <= set(printed)
    assert [o["path"] for o in printed["operations"]] == ["twice", "twice"]
    assert Recording.load(saved).seed == 5


def test_options_read_an_event_from_a_file_and_fail_a_callback(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text("3")
    result = dacapo(
        *("run", f"{HANDLERS}:steps", "--event", f"@{tmp_path}/event.json", "--format", "json")
    )
    assert json.loads(result.stdout)["result"] == [0, 1, 2]
    result = dacapo(
        *("run", f"{HANDLERS}:called_back", "--fail", "callback=not today@1m", "--format", "json")
    )
    assert json.loads(result.stdout)["result"] == "CallbackExternalError: not today"


EXITS = """
import os
from aws_durable_execution_sdk_python import durable_execution

@durable_execution
def handler(event, context):
    context.step(lambda _: os._exit(0), name="leave")
"""


@pytest.mark.parametrize("columns", [80, 120])
def test_an_invocation_that_times_out_or_exits_is_shown_and_the_run_is_not_as_expected(
    columns: int, tmp_path: Path
) -> None:
    (tmp_path / "exits.py").write_text(EXITS)
    for target, outcome in (
        ("gotchas/poll_inside_a_step.py:breaks", "TIMED_OUT Sandbox.Timedout"),
        (f"{tmp_path}/exits.py:handler", "DIED Runtime.ExitError"),
    ):
        result = dacapo("run", target, "--expect", "SUCCEEDED", columns=columns)
        assert (result.returncode, result.stderr) == (3, "")
        assert result.stdout.count(outcome) == quotas.INVOCATION_ATTEMPTS
        assert max(len(line) for line in result.stdout.splitlines()) <= columns


@pytest.mark.prove
def test_a_run_without_replay_prints_the_same_timeline() -> None:
    target = "scenarios/polling.py:finishes"
    outputs = {dacapo("run", target, *options).stdout for options in ((), ("--no-replay",))}
    assert len(outputs) == 1


def test_an_answer_names_a_callback_by_its_path(tmp_path: Path) -> None:
    saved = tmp_path / "recording.json"
    answer = ("--answer", 'WaitForCallback="yes"', "--save", str(saved))
    result = dacapo("run", f"{HANDLERS}:unnamed_callback", *answer)
    assert result.returncode == 0, result.stderr
    assert json.loads(Recording.load(saved).result) == "yes"


def test_an_execution_that_fails_unexpectedly_exits_with_3_and_names_the_error_and_its_line() -> (
    None
):
    result = dacapo("run", f"{HANDLERS}:failing", "--format", "json")
    assert result.returncode == 3
    printed = json.loads(result.stdout)
    line = printed["error"].pop("line")
    assert printed["error"] == {
        "type": "RuntimeError",
        "message": "the handler fails",
        "file": "tests/lab/handlers.py",
        "cause": None,
    }
    source = Path("tests/lab/handlers.py").read_text().splitlines()
    assert "the handler fails" in source[line - 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "names no target: give FILE.py:SCENARIO"),
        (["scenarios/nothing.py:x"], "there is no file scenarios/nothing.py"),
        (
            ["scenarios/polling.py:nothing"],
            "has no 'nothing'; it has: scenarios/polling.py:handler, scen",
        ),
        (["nothing.at.all:x"], "cannot be imported: No module named 'nothing'"),
        ([f"{HANDLERS}:BIG"], "is of type int: neither a Scenario nor a handler"),
        (["json:nothing"], "it has no scenario and no durable handler"),
        ([f"{HANDLERS}:steps", "--event", "{"], "--event: not JSON"),
        ([f"{HANDLERS}:steps", "--event", "@nothing.json"], "nothing.json can't be read"),
        ([f"{HANDLERS}:called_back", "--answer", "callback"], "give NAME=VALUE"),
        ([f"{HANDLERS}:called_back", "--answer", "callback=yes"], "'yes' is not JSON"),
        ([f"{HANDLERS}:called_back", "--answer", "other=1"], "created 0 callback(s) of that name"),
        (
            [f"{HANDLERS}:unbounded_callback"],
            "callback 'approval' has neither an answer nor a timeout",
        ),
        ([f"{HANDLERS}:steps", "--save", "nothing/here.json"], "there is no directory nothing"),
        ([f"{HANDLERS}:steps", "--seed", "-1"], "Invalid value for '--seed'"),
        ([f"{HANDLERS}:steps", "--format", "xml"], "--format: 'xml' is not one of"),
        ([f"{HANDLERS}:steps", "--no-such-option"], "No such option"),
        ([], "Missing argument 'TARGET'"),
    ],
)
def test_a_usage_error_is_one_line(arguments: list[str], message: str) -> None:
    assert_usage_error(dacapo("run", *arguments), message)


def test_a_file_that_fails_on_import_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")
    result = dacapo("run", "broken.py:x", cwd=tmp_path)
    assert_usage_error(result, "broken.py cannot be imported: ZeroDivisionError: division by zero")


def test_a_handler_that_reaches_the_network_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "leaks.py").write_text(
        "import urllib.request\n"
        "from aws_durable_execution_sdk_python import durable_execution\n"
        "@durable_execution\n"
        "def handler(event, context):\n"
        "    urllib.request.urlopen('http://example.com')\n"
    )
    result = dacapo("run", "leaks.py:handler", cwd=tmp_path)
    assert_usage_error(result, "leaks.py:5 tried to reach example.com")


@pytest.mark.prove
def test_output_of_a_handler_stays_out_of_stdout(tmp_path: Path) -> None:
    (tmp_path / "chatty.py").write_text(
        "from aws_durable_execution_sdk_python import durable_execution\n"
        "print('imported')\n"
        "@durable_execution\n"
        "def handler(event, context):\n"
        "    print('running')\n"
        "    context.logger.warning('logged')\n"
    )
    result = dacapo("run", "chatty.py:handler", "--format", "json", cwd=tmp_path)
    assert json.loads(result.stdout)["status"] == "SUCCEEDED"
    assert result.stderr.split() == ["imported", "running"]
    verbose = fresh_dacapo("run", "chatty.py:handler", "--verbose", cwd=tmp_path)
    assert "logged" in verbose.stderr


NOISY = """
import logging, os, subprocess, sys, threading
from aws_durable_execution_sdk_python import durable_execution

print("imported")
logger = logging.getLogger("noisy")
logger.addHandler(logging.StreamHandler(sys.stdout))
kept = sys.stdout

@durable_execution
def handler(event, context):
    def make_noise(_):
        os.write(1, b"written")
        print("printed", flush=True)
        kept.write("kept")
        sys.__stdout__.write("original")
        logger.error("logged")
        subprocess.run([sys.executable, "-c", "print('from a subprocess')"], check=True)
        thread = threading.Thread(target=print, args=("from a thread",))
        thread.start()
        thread.join()

    context.step(make_noise, name="make noise")
"""


@pytest.mark.parametrize("command", ["run", "verify", "check"])
@pytest.mark.parametrize("start", every(2, [dacapo, fresh_dacapo]))
def test_nothing_that_a_handler_writes_gets_into_the_json(
    start: Callable[..., subprocess.CompletedProcess[str]], command: str, tmp_path: Path
) -> None:
    (tmp_path / "noisy.py").write_text(NOISY)
    saved = tmp_path / "recording.json"
    dacapo("run", "noisy.py:handler", "--save", str(saved), cwd=tmp_path)
    arguments = [str(saved)] if command == "check" else []
    done = start(command, *arguments, "noisy.py:handler", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schema"] == 1
    assert "imported" in done.stderr
    assert ("from a subprocess" in done.stderr) == (command != "check")


def test_the_exit_statuses_are_in_the_help_of_each_command_that_runs_a_handler() -> None:
    for command in ("run", "verify", "check"):
        help_text = " ".join(dacapo(command, "--help").stdout.split())
        for status, meaning in MEANINGS.items():
            assert f"{status.value} {meaning}" in help_text


def test_a_failed_run_does_not_overwrite_an_existing_file(tmp_path: Path) -> None:
    saved = tmp_path / "recording.json"
    saved.write_text("precious")
    dacapo("run", f"{HANDLERS}:unbounded_callback", "--save", str(saved))
    assert saved.read_text() == "precious"


def test_help_and_version_are_printed() -> None:
    assert "TARGET" in dacapo("run", "--help").stdout
    assert "dacapo" in dacapo("--version").stdout
