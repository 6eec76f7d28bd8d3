"""`dacapo run`: what it prints, what it exits with, and how it takes a mistake."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dacapo import Recording
from tests.command_line import assert_mistake, dacapo, fresh_dacapo

HANDLERS = "tests.lab.handlers"


@pytest.mark.parametrize("start", [dacapo, fresh_dacapo])
def test_a_scenario_file_is_run_and_its_timeline_printed(
    start: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = start("run", "scenarios/event_callback.py:event_on_time")
    assert (done.returncode, done.stderr) == (0, "")
    for part in (
        "event_callback · event_on_time  SUCCEEDED  after 6h 00m",
        "answered by resolver",
        "durable operations      7 operations    $0.00005600",
    ):
        assert part in done.stdout


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("story", ["polling.py:finishes", "event_callback.py:event_too_soon"])
def test_a_timeline_is_never_wider_than_the_terminal(columns: int, story: str) -> None:
    done = dacapo("run", f"scenarios/{story}", columns=columns)
    assert max(len(line) for line in done.stdout.splitlines()) <= columns


def test_a_scenario_of_a_module_is_run() -> None:
    done = dacapo("run", "scenarios.polling:runs_already")
    assert done.returncode == 1
    assert "MigrationNotStarted" in done.stdout


def test_a_bare_handler_is_run_with_event_and_answers_and_saved(tmp_path: Path) -> None:
    saved = tmp_path / "recording.json"
    done = dacapo(
        *("run", f"{HANDLERS}:two_callbacks", "--event", "null", "--seed", "5"),
        *("--answer", 'twice={"mail": "a@b.c"}@90s', "--answer", "twice=2@2h"),
        *("--format", "json", "--save", str(saved)),
    )
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    assert printed["result"] == ['{"mail": "a@b.c"}', "2"]
    assert printed["virtual_seconds"] == 90 + 7200
    assert (printed["invocations"], printed["seed"], printed["status"]) == (3, 5, "SUCCEEDED")
    assert {"updates", "charged_operations", "bytes_written", "error"} <= set(printed)
    assert [o["path"] for o in printed["operations"]] == ["twice", "twice"]
    assert Recording.load(saved).seed == 5


def test_an_event_is_read_from_a_file_and_a_callback_made_to_fail(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text("3")
    done = dacapo(
        *("run", f"{HANDLERS}:steps", "--event", f"@{tmp_path}/event.json", "--format", "json")
    )
    assert json.loads(done.stdout)["result"] == [0, 1, 2]
    done = dacapo(
        *("run", f"{HANDLERS}:called_back", "--fail", "callback=not today@1m", "--format", "json")
    )
    assert json.loads(done.stdout)["result"] == "CallbackExternalError: not today"


def test_an_execution_that_does_not_succeed_exits_with_1() -> None:
    done = dacapo("run", f"{HANDLERS}:failing", "--format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"] == {
        "type": "RuntimeError",
        "message": "the handler fails",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "names no target: give FILE.py:SCENARIO"),
        (["scenarios/nothing.py:x"], "there is no file scenarios/nothing.py"),
        (["scenarios/polling.py:nothing"], "has no 'nothing'; it has: handler, finishes"),
        (["nothing.at.all:x"], "can't be imported: No module named 'nothing'"),
        ([f"{HANDLERS}:BIG"], "is of type int: neither a Scenario nor a handler"),
        (["json:nothing"], "it has no scenario and no durable handler"),
        ([f"{HANDLERS}:steps", "--event", "{"], "--event: not JSON"),
        ([f"{HANDLERS}:steps", "--event", "@nothing.json"], "nothing.json can't be read"),
        ([f"{HANDLERS}:called_back", "--answer", "callback"], "give NAME=VALUE"),
        ([f"{HANDLERS}:called_back", "--answer", "callback=yes"], "'yes' is not JSON"),
        ([f"{HANDLERS}:called_back", "--answer", "other=1"], "0 callback(s) of that name came"),
        ([f"{HANDLERS}:unbounded_callback"], "nobody answers callback 'approval'"),
        ([f"{HANDLERS}:steps", "--save", "nothing/here.json"], "there is no directory nothing"),
        ([f"{HANDLERS}:steps", "--seed", "-1"], "Invalid value for '--seed'"),
        ([f"{HANDLERS}:steps", "--format", "xml"], "Invalid value for '--format'"),
        ([f"{HANDLERS}:steps", "--no-such-option"], "No such option"),
        ([], "Missing argument 'TARGET'"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: list[str], message: str) -> None:
    assert_mistake(dacapo("run", *arguments), message)


def test_a_file_that_breaks_when_it_is_imported_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")
    done = dacapo("run", "broken.py:x", cwd=tmp_path)
    assert_mistake(done, "broken.py can't be imported: ZeroDivisionError: division by zero")


def test_a_handler_that_leaves_the_machine_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "leaks.py").write_text(
        "import urllib.request\n"
        "from aws_durable_execution_sdk_python import durable_execution\n"
        "@durable_execution\n"
        "def handler(event, context):\n"
        "    urllib.request.urlopen('http://example.com')\n"
    )
    done = dacapo("run", "leaks.py:handler", cwd=tmp_path)
    assert_mistake(done, "leaks.py:5 tried to reach example.com")


def test_what_a_handler_prints_stays_out_of_the_result(tmp_path: Path) -> None:
    (tmp_path / "chatty.py").write_text(
        "from aws_durable_execution_sdk_python import durable_execution\n"
        "print('imported')\n"
        "@durable_execution\n"
        "def handler(event, context):\n"
        "    print('running')\n"
        "    context.logger.warning('logged')\n"
    )
    done = dacapo("run", "chatty.py:handler", "--format", "json", cwd=tmp_path)
    assert json.loads(done.stdout)["status"] == "SUCCEEDED"
    assert done.stderr.split() == ["imported", "running"]
    verbose = fresh_dacapo("run", "chatty.py:handler", "--verbose", cwd=tmp_path)
    assert "logged" in verbose.stderr


def test_an_existing_file_survives_a_run_that_fails(tmp_path: Path) -> None:
    saved = tmp_path / "recording.json"
    saved.write_text("precious")
    dacapo("run", f"{HANDLERS}:unbounded_callback", "--save", str(saved))
    assert saved.read_text() == "precious"


def test_help_and_version_are_there() -> None:
    assert "TARGET" in dacapo("run", "--help").stdout
    assert "dacapo" in dacapo("--version").stdout
