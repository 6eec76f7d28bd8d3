"""`dacapo history` as a process: credentials, region, errors, signals, and the next command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dacapo.history.fetching import CALLS
from dacapo.simulation.simulation import Simulation
from tests.command_line import PATH, assert_usage_error, dacapo, run_process
from tests.depth import every
from tests.lab.api import running, start_execution
from tests.lab.endpoint import Answer, lambda_endpoint

OWN = {
    "AWS_ACCESS_KEY_ID": "AKIAOWN",
    "AWS_SECRET_ACCESS_KEY": "own",
    "AWS_DEFAULT_REGION": "eu-central-1",
}
TARGET = "tests.lab.handlers:waited_for_callback"


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    with running() as simulation:
        for number in range(3):
            start_execution(simulation, "approval", {"number": number}, f"order-{number}")
            simulation.clock.sleep(1)
    with simulation.answering():
        yield simulation


def environment(home: Path, url: str, own: dict[str, str]) -> dict[str, str]:
    return {
        "PATH": "",
        "HOME": str(home),
        "COLUMNS": "80",
        "PYTHONPATH": os.pathsep.join(PATH),
        "AWS_ENDPOINT_URL_LAMBDA": url,
        "AWS_EC2_METADATA_DISABLED": "true",
        **own,
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dacapo", "history", *arguments]


def history(
    home: Path, url: str, *arguments: str, own: dict[str, str] = OWN
) -> subprocess.CompletedProcess[str]:
    return run_process(command(*arguments), cwd=home, environment=environment(home, url, own))


@pytest.mark.prove
def test_the_command_reaches_aws_with_its_own_credentials_and_the_check_reads_what_it_fetched(
    simulation: Simulation, tmp_path: Path
) -> None:
    with lambda_endpoint() as (url, calls):
        result = history(tmp_path, url, "approval", "-o", "fetched")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "approval: 3 executions RUNNING (3 on 1)",
        "fetched: 3 saved",
    ]
    assert len(calls) == 1 + 2 * 3
    assert all("Credential=AKIAOWN/" in call and "/eu-central-1/lambda/" in call for call in calls)
    files = sorted(str(file) for file in (tmp_path / "fetched").iterdir())
    checked = dacapo("check", *files, TARGET, "--format", "json")
    assert checked.returncode == 0, checked.stderr
    verdicts = [one["verdict"] for one in json.loads(checked.stdout)["recordings"]]
    assert verdicts == ["survives"] * 3


@pytest.mark.prove
def test_a_signal_ends_it_in_order_and_the_next_time_it_goes_on(
    simulation: Simulation, tmp_path: Path
) -> None:
    process: Any = None

    def interrupt(number: int) -> None:
        if number == 5:  # the history of the second execution
            process.send_signal(signal.SIGTERM)
            process.wait(30)

    arguments = ("approval", "-o", "fetched")
    with lambda_endpoint(on_call=interrupt) as (url, calls):
        process = subprocess.Popen(
            command(*arguments), cwd=tmp_path, env=environment(tmp_path, url, OWN)
        )
        assert process.wait(60) == 128 + signal.SIGTERM
    assert len(calls) == 5
    (saved,) = (tmp_path / "fetched").iterdir()
    assert saved.name.startswith("approval.1.order-2.")
    with lambda_endpoint() as (url, calls):
        result = history(tmp_path, url, *arguments)
    assert result.stdout.splitlines()[1] == "fetched: 2 saved, 1 were there"
    assert len(calls) == 1 + 2 * 2


NOT_ALLOWED = (403, "AccessDeniedException", "User: x is not authorized to perform: lambda:List")
EXPIRED = (403, "ExpiredTokenException", "The security token included in the request is expired")


Refusal = tuple[dict[str, str], str, list[Answer], str]
"""Credentials and region, function, what the endpoint refuses, and what the command says."""
REFUSALS: list[Refusal] = [
    ({"AWS_DEFAULT_REGION": "us-east-1"}, "approval", [], "no AWS credentials: set AWS_PROFILE"),
    ({**OWN, "AWS_PROFILE": "none"}, "approval", [], "profile (none) could not be found"),
    ({}, "approval", [], "no AWS region: set AWS_DEFAULT_REGION"),
    (OWN, "approval", [NOT_ALLOWED], f"permission lambda:{CALLS[0]} is missing: User: x"),
    (OWN, "approval", [EXPIRED], "does not accept the credentials, sign in: ExpiredToken"),
    # A process that another one started, which had imported dacapo, has its dummies.
    ({**OWN, "AWS_ACCESS_KEY_ID": "dacapo"}, "approval", [], "no AWS region"),
    (OWN, "aproval", [], "there is no function aproval in eu-central-1"),
]


@pytest.mark.parametrize("refusal", every(9, REFUSALS), ids=lambda refusal: refusal[-1])
def test_a_refusal_is_one_clear_line_and_exit_status_2(
    simulation: Simulation, tmp_path: Path, refusal: Refusal
) -> None:
    own, function, refusals, message = refusal
    with lambda_endpoint(list(refusals)) as (url, _):
        result = history(tmp_path, url, function, "-o", "fetched", own=own)
    assert_usage_error(result, message)
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.prove
def test_nothing_in_flight_is_not_a_mistake(simulation: Simulation, tmp_path: Path) -> None:
    with lambda_endpoint() as (url, _):
        result = history(tmp_path, url, "steps", "-o", "fetched")
    assert (result.returncode, result.stdout) == (0, "steps: 0 executions RUNNING\n")
    assert list((tmp_path / "fetched").iterdir()) == []


@pytest.mark.prove
def test_a_refusal_on_the_way_says_what_is_saved(simulation: Simulation, tmp_path: Path) -> None:
    refusals: list[Answer] = []

    def forbid(number: int) -> None:
        if number == 4:  # the second execution
            refusals.append(NOT_ALLOWED)

    with lambda_endpoint(refusals, on_call=forbid) as (url, _):
        result = history(tmp_path, url, "approval", "-o", "fetched")
    assert_usage_error(result, "; 1 of 3 are saved, repeat the command to go on")
    assert len(list((tmp_path / "fetched").iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pay me"], "'pay me' is not the name or ARN of a function"),
        (["pay", "--since", "yesterday"], "--since: 'yesterday' is not a length"),
        (["pay", "--redact", "json:dump", "--without-data"], "not both"),
        (["pay", "--redact", "json"], "'json' names no function"),
        (["pay", "--redact", "json:nothing"], "json has no function 'nothing'"),
    ],
)
def test_a_mistake_in_the_call_is_found_before_anything_is_read(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert_usage_error(dacapo("history", *arguments, "-o", str(tmp_path / "fetched")), message)


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = dacapo("history", "pay", "-o", str(tmp_path / "file" / "inside"))
    assert_usage_error(result, "can't be made: Not a directory")


@pytest.mark.prove
def test_a_redaction_is_imported_from_the_current_directory(
    simulation: Simulation, tmp_path: Path
) -> None:
    source = "def mask(text, operation):\n    return '\"masked\"'\n"
    (tmp_path / "privacy.py").write_text(source)
    with lambda_endpoint() as (url, _):
        result = history(tmp_path, url, "approval:1", "-o", "fetched", "--redact", "privacy:mask")
    assert result.returncode == 0, result.stderr
    files = list((tmp_path / "fetched").iterdir())
    assert len(files) == 3
    for file in files:
        started = json.loads(file.read_text())["Events"][0]["ExecutionStartedDetails"]
        assert started["Input"]["Payload"] == '"masked"'
