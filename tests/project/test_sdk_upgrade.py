"""docs/sdk-upgrade.md: the same histories, replayed by two versions of the SDK."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_durable_execution_sdk_python as sdk
import pytest

from tests.command_line import PATH, REPOSITORY, run_process, run_shell
from tests.verify import fleet

PAGE = (REPOSITORY / "docs/sdk-upgrade.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
TODAY, NEXT, COMPARE = BLOCKS
PACKAGE = "aws-durable-execution-sdk-python"
OLDER = f"{PACKAGE}==2.1.0"
INSTALL_SECONDS = 400
HANDLER = """
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration

@durable_execution
def handler(event, context):
    context.step(lambda _: 1, name="reserve")
    context.wait(Duration.from_days(1), name="a day")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A handler, and histories of it in flight."""
    (tmp_path / "order.py").write_text(HANDLER)
    fleet.write(tmp_path / "histories", 2)
    return tmp_path


def other_sdk(folder: Path, file: str, before: str, after: str) -> Path:
    """Copy the installed SDK, with a change, to where it comes before the installed one."""
    copy = folder / "other"
    package = Path(sdk.__file__).parent
    shutil.copytree(package, copy / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    changed = copy / package.name / file
    text = changed.read_text()
    assert before in text
    changed.write_text(text.replace(before, after))
    return copy


def check(project: Path, sdk_folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dacapo", "check", "histories", "order.py:handler"]
    path = os.pathsep.join([str(sdk_folder), *PATH])
    environment = {"PATH": "", "COLUMNS": "80", "PYTHONPATH": path}
    return run_process([*command, "--format", "json"], cwd=project, environment=environment)


@pytest.mark.prove
def test_the_check_runs_the_sdk_of_its_environment_and_says_which(project: Path) -> None:
    version = f'"{sdk.__version__}"'
    other = other_sdk(project, "__about__.py", version, '"3.9.0"')
    done = check(project, other)
    checked = json.loads(done.stdout)
    assert (checked["sdk"], checked["verdict"]) == ("3.9.0", "survives"), done.stderr


@pytest.mark.prove
def test_an_sdk_that_compares_more_breaks_what_survived_before(project: Path) -> None:
    before = "expected_name = self.name or None"
    other = other_sdk(project, "identifier.py", before, 'expected_name = f"{self.name}!"')
    checked = json.loads(check(project, other).stdout)
    assert checked["counts"] == {"breaks": 2}


@pytest.mark.prove
def test_an_sdk_with_other_ids_is_one_line_and_status_2(project: Path) -> None:
    other = other_sdk(project, "identifier.py", "hashlib.blake2b(", "hashlib.sha3_512(")
    done = check(project, other)
    assert (done.returncode, done.stdout) == (2, "")
    assert "was written by another SDK" in done.stderr
    assert "Traceback" not in done.stderr


def install(target: Path, *what: str) -> None:
    """Install into a folder; skip the test if there is no registry to install from."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target), *what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no registry to install {' '.join(what)} from")


@pytest.mark.prove
def test_an_sdk_that_the_lab_can_not_use_is_one_line_and_status_2(project: Path) -> None:
    install(project / "older", "--no-deps", OLDER)
    done = check(project, project / "older")
    assert (done.returncode, done.stdout) == (2, "")
    assert "which SDK 2.1.0 does not have" in done.stderr
    assert "Traceback" not in done.stderr


def shell(text: str, project: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    command = text.replace("PATH/TO/dacapo", str(REPOSITORY))
    environment = {**os.environ, "PYTHONPATH": path}
    return run_shell(command, cwd=project, environment=environment, seconds=INSTALL_SECONDS)


@pytest.mark.prove
def test_the_commands_of_the_page_replay_the_same_histories_twice(project: Path) -> None:
    install(project / "probe", "--no-deps", f"{PACKAGE}==3.0.0")
    for block, path in ((TODAY, os.pathsep.join(PATH)), (NEXT, "")):
        done = shell(block, project, path)
        assert done.returncode == 0, done.stderr
    today, then = (loaded(project / f"{name}.json") for name in ("today", "next"))
    assert then["sdk"] == "3.0.0"
    assert today["verdict"] == then["verdict"] == "survives"
    assert len(then["recordings"]) == 2
    assert shell(COMPARE, project).stdout == f"{today['sdk']} to 3.0.0\n"


def loaded(file: Path) -> Any:
    return json.loads(file.read_text())
