"""`dacapo check` on many histories: a verdict for each execution, and each cause once."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from moto import mock_aws

from dacapo import Scenario, check
from dacapo.history.points import share_of_points
from dacapo.verify.deploy_check.advice import advice
from dacapo.verify.deploy_check.results import grouped
from dacapo.verify.findings import Certainty, Code, Verdict
from tests.command_line import PATH, REPOSITORY, assert_usage_error, dacapo, fresh_dacapo
from tests.verify import fleet

HERE = "tests.verify.fleet"
SAME, RENAMED, LATER = f"{HERE}:handler", f"{HERE}:renamed", f"{HERE}:changed_later"
_MEASURED = """
import resource, subprocess, sys
from pathlib import Path
done = subprocess.run(sys.argv[2:])
Path(sys.argv[1]).write_text(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(done.returncode)
"""
"""Writes the peak memory of a command. The command is the child of a small process, because Linux
counts the memory of the process that a command is started from."""
SCREEN = 40
"""Lines of a terminal."""


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fleet.write(tmp_path_factory.mktemp("hundred"), 100)


def as_json(*arguments: str) -> Any:
    done = dacapo("check", *arguments, "--format", "json")
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_the_histories_of_a_hundred_executions_are_checked_at_once(hundred: Path) -> None:
    checked = as_json(str(hundred), SAME)
    assert checked["counts"] == {"survives": 100}
    assert checked["groups"] == []
    assert {one["running"] for one in checked["recordings"]} == {True}


@pytest.mark.prove
def test_a_step_that_is_renamed_is_one_finding_with_a_count(hundred: Path) -> None:
    checked = as_json(str(hundred), RENAMED)
    (group,) = checked["groups"]
    assert (group["count"], group["verdicts"]) == (100, {"breaks": 100})
    assert group["finding"]["code"] == "different-operation"
    assert group["finding"]["message"].endswith(
        "it starts 'reserve the goods' where the history has 'reserve'"
    )
    assert len(group["files"]) == 100
    assert checked["exit_status"] == 1


@pytest.mark.prove
def test_what_is_printed_of_a_hundred_histories_fits_on_a_screen(hundred: Path) -> None:
    done = dacapo("check", str(hundred), RENAMED)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) < SCREEN
    assert "different-operation, in 100 of 100 histories" in done.stdout
    assert "and 97 more" in done.stdout


def test_a_change_after_the_point_at_which_an_execution_is_does_not_break_it(
    tmp_path: Path,
) -> None:
    waiting = tmp_path / "waiting.json"
    waiting.write_text(json.dumps(fleet.fetched(fleet.record())))
    ended = tmp_path / "ended.json"
    fleet.record().save(ended)
    checked = as_json(str(waiting), str(ended), LATER)
    verdicts = {Path(one["file"]).stem: one["verdict"] for one in checked["recordings"]}
    # What has ended stands for an execution at any of its points.
    assert verdicts == {"waiting": "survives", "ended": "breaks"}


@pytest.mark.parametrize(
    ("version", "verdict"), [("7", "drains"), ("$LATEST", "breaks"), ("", "breaks")]
)
def test_an_execution_on_a_version_of_its_own_only_drains(
    tmp_path: Path, version: str, verdict: str
) -> None:
    folder = fleet.write(tmp_path / "histories", 2, version)
    done = dacapo("check", str(folder), RENAMED)
    checked = as_json(str(folder), RENAMED)
    assert {one["verdict"] for one in checked["recordings"]} == {verdict}
    assert {one["version"] for one in checked["recordings"]} == {version or None}
    assert done.returncode == checked["exit_status"] == 1
    stays = "they stay on version 7"
    assert (stays in " ".join(done.stdout.split())) == (verdict == "drains")


def test_each_execution_has_a_verdict_of_its_own(tmp_path: Path) -> None:
    for version in ("7", "$LATEST"):
        fleet.write(tmp_path / version.strip("$"), 2, version)
    checked = as_json(str(tmp_path), RENAMED)
    assert checked["counts"] == {"drains": 2, "breaks": 2}
    (group,) = checked["groups"]
    assert sorted(group["versions"]) == ["$LATEST", "7"]
    assert checked["verdict"] == "breaks"


def test_the_advice_is_about_executions_in_flight() -> None:
    (group,) = grouped(check(fleet.renamed, fleet.record()))
    name, branch, pin, pause = advice(group)
    assert "keep the old one, 'reserve'" in name
    assert "named step" in branch
    assert "alias" in pin
    assert "pause" in pause


def test_steps_without_names_may_have_been_swapped_and_the_names_are_suggested() -> None:
    recording = fleet.record(3, fleet.without_names)
    (result,) = check(fleet.without_names, recording)
    (finding,) = result.findings
    assert (finding.code, finding.certainty) == (Code.UNNAMED_OPERATION, Certainty.SUSPECTED)
    assert "name='price of', name='weight of'" in finding.message
    assert finding.message.count("tests/verify/fleet.py:") == 2
    assert result.verdict is Verdict.SURVIVES


def test_many_histories_of_a_kind_have_every_point_between_them() -> None:
    shares = [share_of_points(9, 3, number) for number in range(3)]
    assert sorted(len(share) for share in shares) == [3, 4, 4]
    assert set().union(*shares) == set(range(1, 10))
    assert all(9 in share for share in shares)


def test_a_directory_without_histories_is_a_usage_error(tmp_path: Path) -> None:
    assert_usage_error(dacapo("check", str(tmp_path), SAME), "directory without histories")


def test_check_says_which_sdk_it_ran(hundred: Path) -> None:
    from aws_durable_execution_sdk_python import __version__  # noqa: PLC0415

    file = str(hundred / "0000.json")
    assert dacapo("check", file, SAME).stdout.startswith(f"SDK {__version__}, Python 3.")
    assert as_json(file, SAME)["sdk"] == __version__


def end_the_process() -> None:
    """End it as a crash in C code does, which nothing in Python can keep it from."""
    ctypes.CDLL(None)._exit(7)


@durable_execution
def dies_of_some(event: Any, context: DurableContext) -> None:
    """End the process if the event says so."""
    if event["number"] in (1, 3):
        end_the_process()
    context.step(lambda _: 1, name="reserve")
    context.wait(fleet.DAY, name="a day")


@durable_execution
def dies_of_all(event: Any, context: DurableContext) -> None:
    end_the_process()


@pytest.mark.prove
def test_a_history_that_ends_the_process_is_the_only_one_to_break(tmp_path: Path) -> None:
    results = check(dies_of_some, fleet.write(tmp_path / "histories", 5))
    died = [[finding.code for finding in result.findings] for result in results]
    assert died == [[], [Code.DIED], [], [Code.DIED], []]
    assert [result.verdict is Verdict.SURVIVES for result in results] == [not one for one in died]


def test_a_handler_that_always_ends_its_process_is_not_asked_a_hundred_times(
    tmp_path: Path,
) -> None:
    results = check(dies_of_all, fleet.write(tmp_path / "histories", 10))
    # Two processes, with five histories each.
    assert [bool(result.findings) for result in results] == ([True] * 3 + [False] * 2) * 2
    assert all(result.not_run for result in results)
    left_out = [result for result in results if not result.findings]
    assert {result.verdict for result in left_out} == {Verdict.NOT_VERIFIED}


@durable_execution
def asks_outside(event: Any, context: DurableContext) -> None:
    queues = boto3.client("sqs").list_queues().get("QueueUrls", [])
    context.step(lambda _: 1, name="reserve" if queues else "refuse")
    context.wait(fleet.DAY, name="a day")


@contextmanager
def world_with_a_queue() -> Iterator[None]:
    with mock_aws():
        boto3.client("sqs").create_queue(QueueName="parcels")
        yield


asks_its_world = Scenario(handler=asks_outside, world=world_with_a_queue)
asks_another = Scenario(handler=fleet.handler, world=world_with_a_queue)


@pytest.mark.parametrize(("name", "status"), [("asks_outside", 3), ("asks_its_world", 0)])
def test_the_world_of_a_scenario_answers_what_the_handler_asks_outside_steps(
    tmp_path: Path, name: str, status: int
) -> None:
    folder = fleet.write(tmp_path / "histories", 1)
    done = dacapo("check", str(folder), f"{__name__}:{name}")
    assert done.returncode == status, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("scenario", "status", "message"),
    [("asks_its_world", 0, "keeps all"), ("asks_another", 2, "it has another handler")],
)
def test_the_world_of_the_first_scenario_in_pyproject_answers_as_well(
    tmp_path: Path, scenario: str, status: int, message: str
) -> None:
    fleet.write(tmp_path / "histories/parcels", 1)
    (tmp_path / "pyproject.toml").write_text(
        f"""[tool.dacapo.functions.parcels]
target = "{__name__}:asks_outside"
scenarios = ["{__name__}:{scenario}"]
"""
    )
    done = dacapo("check", cwd=tmp_path)
    assert done.returncode == status, done.stdout + done.stderr
    assert message in done.stdout + done.stderr


MONOREPO = {
    "functions/order/helpers.py": 'STEP = "reserve"\n',
    "functions/invoice/helpers.py": 'STEP = "print the invoice"\n',
    "pyproject.toml": """
[tool.dacapo.functions.order]
target = "functions/order/app.py:handler"

[tool.dacapo.functions.invoice]
target = "functions/invoice/app.py:handler"
environment = {PRINTER = "first floor"}
""",
}
APP = """
import os
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration
from helpers import STEP

{variable}

@durable_execution
def handler(event, context):
    context.step(lambda _: 1, name=STEP)
    context.wait(Duration.from_days(1), name="a day")
"""


@pytest.fixture
def monorepo(tmp_path: Path) -> Path:
    """Two functions in plain folders, each with its own `helpers`, and a history of each."""
    apps = {
        "functions/order/app.py": APP.format(variable=""),
        "functions/invoice/app.py": APP.format(variable='PRINTER = os.environ["PRINTER"]'),
    }
    for name, text in {**MONOREPO, **apps}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for name in ("order", "invoice"):
        history = fleet.record(0, fleet.handler)
        content = json.dumps(fleet.fetched(history))
        step = '"reserve"' if name == "order" else '"print the invoice"'
        (tmp_path / "histories" / name).mkdir(parents=True)
        file = tmp_path / "histories" / name / "1.json"
        file.write_text(content.replace('"reserve"', step))
    return tmp_path


@pytest.mark.parametrize("arguments", [(), ("histories",)])
def test_two_functions_with_modules_of_one_name_are_checked_at_once(
    monorepo: Path, arguments: tuple[str, ...]
) -> None:
    done = fresh_dacapo("check", *arguments, "--format", "json", cwd=monorepo)
    assert done.returncode == 0, done.stdout + done.stderr
    checked = json.loads(done.stdout)
    assert checked["targets"] == ["order", "invoice"]
    assert [one["file"] for one in checked["recordings"]] == [
        "histories/order/1.json",
        "histories/invoice/1.json",
    ]


@pytest.mark.prove
def test_a_break_in_one_function_names_it_and_leaves_the_other(monorepo: Path) -> None:
    (monorepo / "functions/invoice/helpers.py").write_text('STEP = "mail the invoice"\n')
    done = fresh_dacapo("check", cwd=monorepo)
    assert done.returncode == 1
    assert "order keeps all 1 history" in done.stdout
    assert "invoice breaks 1 of 1 history" in done.stdout
    assert "functions/invoice/app.py:" in done.stdout


@pytest.mark.prove
def test_one_function_is_checked_by_its_name(monorepo: Path) -> None:
    done = fresh_dacapo("check", "invoice", "--format", "json", cwd=monorepo)
    assert json.loads(done.stdout)["target"] == "invoice"


TEMPLATE = """
Globals: {Function: {Handler: app.handler}}
Resources:
  order:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/order}
  Invoice:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/invoice/
      Environment: {Variables: {PRINTER: second floor}}
  Image:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image}
"""


@pytest.mark.prove
def test_a_template_is_enough_to_check_all_of_its_functions(monorepo: Path) -> None:
    (monorepo / "pyproject.toml").unlink()
    (monorepo / "template.yaml").write_text(TEMPLATE)
    invoice = monorepo / "histories/invoice/1.json"
    content = json.loads(invoice.read_text())
    invoice.write_text(json.dumps({"FunctionName": "shop-Invoice-1X2Y3Z", **content}))
    arguments = ("histories", "--template", "template.yaml", "--format", "json")
    done = fresh_dacapo("check", *arguments, cwd=monorepo)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["targets"] == ["order", "Invoice"]


@pytest.mark.prove
def test_a_history_that_belongs_to_no_function_is_named(monorepo: Path) -> None:
    (monorepo / "other").mkdir()
    (monorepo / "histories/order/1.json").rename(monorepo / "other/1.json")
    done = fresh_dacapo("check", "other", cwd=monorepo)
    assert_usage_error(done, "other/1.json belongs to none of the functions (order, invoice)")


@pytest.mark.prove
def test_the_file_says_whose_history_it_is_rather_than_its_folder(monorepo: Path) -> None:
    wrong = monorepo / "histories/invoice/1.json"
    content = json.loads((monorepo / "histories/order/1.json").read_text())
    wrong.write_text(json.dumps({"FunctionName": "shop-order-1X2Y3Z", **content}))
    done = fresh_dacapo("check", "histories", "--format", "json", cwd=monorepo)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {one["target"] for one in json.loads(done.stdout)["recordings"]} == {"order"}


@pytest.mark.parametrize(
    "table", ["target = 1", 'histories = "h"', 'target = "a:b"\nextra = "x"', "environment = {A=1}"]
)
def test_a_wrong_function_in_pyproject_is_a_usage_error(tmp_path: Path, table: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.dacapo.functions.order]\n{table}\n")
    assert_usage_error(fresh_dacapo("check", cwd=tmp_path), "[tool.dacapo.functions.order] has")


@pytest.mark.prove
def test_a_thousand_histories_take_little_memory_and_a_screen(tmp_path: Path) -> None:
    folder = fleet.write(tmp_path / "thousand", 1000)
    printed, peak = tmp_path / "printed", tmp_path / "peak"
    check = ["-m", "dacapo", "check", str(folder), RENAMED]
    environment = {"PATH": "", "COLUMNS": "80", "PYTHONPATH": os.pathsep.join(PATH)}
    with printed.open("w") as file:
        done = subprocess.run(
            [sys.executable, "-c", _MEASURED, str(peak), sys.executable, *check],
            cwd=REPOSITORY,
            env=environment,
            stdout=file,
            check=False,
        )
    assert done.returncode == 1
    assert "different-operation, in 1,000 of 1,000 histories" in printed.read_text()
    assert len(printed.read_text().splitlines()) < SCREEN
    assert int(peak.read_text()) < 500_000  # KB
