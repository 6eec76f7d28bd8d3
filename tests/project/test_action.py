"""The GitHub Action: its file, and its steps in bash as GitHub runs them, on a simulated AWS."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from dacapo.simulation.simulation import Simulation
from tests.command_line import PATH
from tests.depth import every
from tests.lab.api import running, start_execution
from tests.lab.endpoint import lambda_endpoint

FOLDER = Path(__file__).parents[2] / ".github/actions/check"
ACTION = yaml.safe_load((FOLDER / "action.yml").read_text())
STEPS = ACTION["runs"]["steps"]
EXPRESSION = re.compile(r"\$\{\{ inputs\.([a-z-]+) \}\}")
HANDLER = """
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration

@durable_execution
def handler(event, context):
    context.step(lambda _: 1, name="reserve")
    context.wait(Duration.from_days(1), name="wait")
"""


@dataclass
class Job:
    """A job of a workflow that uses the action.

    Parameters:
        folder: the checked-out repository.
        url: where AWS is.
        output: everything that the steps print.
    """

    folder: Path
    url: str
    output: str = ""
    files: dict[str, Path] = field(default_factory=dict)

    def run(self, **inputs: str) -> int:
        """Run all steps of the action up to one that fails, and return its exit status."""
        for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
            self.files[name] = self.folder.parent / name
            self.files[name].write_text("")
        values = {name: one["default"] for name, one in ACTION["inputs"].items()}
        values |= {name.replace("_", "-"): value for name, value in inputs.items()}
        statuses = (self._step(step, values) for step in STEPS)
        return next((status for status in statuses if status), 0)

    def outputs(self) -> dict[str, str]:
        lines = self.files["GITHUB_OUTPUT"].read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def _step(self, step: dict[str, Any], values: dict[str, str]) -> int:
        def valued(text: str) -> str:
            return EXPRESSION.sub(lambda match: values[match[1]], text)

        script = self.folder.parent / "step.sh"
        script.write_text(step["run"])
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "PYTHONPATH": os.pathsep.join(PATH),
            "AWS_ENDPOINT_URL_LAMBDA": self.url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "key",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "GITHUB_ACTION_PATH": str(FOLDER),
            "GITHUB_WORKSPACE": str(self.folder),
            **{name: str(path) for name, path in self.files.items()},
            **{name: valued(text) for name, text in step.get("env", {}).items()},
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.folder / valued(step["working-directory"]),
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.output += done.stdout + done.stderr
        return done.returncode


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    scope: dict[str, Any] = {}
    exec(HANDLER, scope)
    with running() as simulation:
        simulation.add_function("orders", scope["handler"])
        for number in range(3):
            start_execution(simulation, "orders", {}, f"order-{number}")
    with simulation.answering():
        yield simulation


@pytest.fixture
def job(simulation: Simulation, tmp_path: Path) -> Iterator[Job]:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "app.py").write_text(HANDLER)
    with lambda_endpoint() as (url, _):
        yield Job(folder, url)


def test_no_script_of_the_action_holds_an_expression() -> None:
    assert all("${{" not in step["run"] for step in STEPS)
    assert all(step["shell"] == "bash" for step in STEPS)


def test_every_input_is_described_optional_and_used() -> None:
    used = set(EXPRESSION.findall((FOLDER / "action.yml").read_text()))
    assert used == set(ACTION["inputs"])
    for one in ACTION["inputs"].values():
        assert set(one) == {"description", "default"}


def test_every_output_is_one_that_a_step_sets() -> None:
    (check,) = (step for step in STEPS if step.get("id") == "check")
    for name, output in ACTION["outputs"].items():
        assert output["value"] == f"${{{{ steps.check.outputs.{name} }}}}"
        assert f"{name}=" in check["run"]


@pytest.mark.prove
def test_code_that_executions_in_flight_survive_passes_and_code_that_breaks_them_fails(
    job: Job,
) -> None:
    assert job.run(functions="orders\n", target="app.py:handler") == 0, job.output
    assert "orders: 3 executions RUNNING (3 on 1)" in job.output
    assert "::notice title=dacapo check::3 of 3 executions survive" in job.output
    assert job.outputs()["exit-status"] == "0"
    assert len(list((job.folder / "histories/orders").iterdir())) == 3

    (job.folder / "app.py").write_text(HANDLER.replace("reserve", "book"))
    assert job.run(functions="orders", target="app.py:handler") == 1, job.output
    assert "file=app.py,line=" in job.output
    outputs = job.outputs()
    assert outputs["exit-status"] == "1"
    for name in ("sarif", "junit"):
        assert (job.folder / outputs[name]).stat().st_size
    assert "app.py:handler" in job.files["GITHUB_STEP_SUMMARY"].read_text()


@pytest.mark.prove
def test_the_code_may_be_in_a_folder_and_lines_are_named_from_the_repository(job: Job) -> None:
    folder = job.folder / "services/shop"
    folder.mkdir(parents=True)
    (folder / "app.py").write_text(HANDLER.replace("reserve", "book"))
    settings = '[tool.dacapo.functions.orders]\ntarget = "app.py:handler"\n'
    (folder / "pyproject.toml").write_text(settings)
    assert job.run(functions="orders", working_directory="services/shop") == 1, job.output
    assert "::warning file=services/shop/app.py,line=" in job.output
    assert job.outputs()["sarif"] == "services/shop/dacapo-reports/check.sarif"
    assert '"services/shop/app.py"' in (job.folder / job.outputs()["sarif"]).read_text()


@pytest.mark.prove
def test_nothing_in_flight_passes(job: Job) -> None:
    assert job.run(functions="plain\nsteps", target="app.py:handler") == 0, job.output
    assert "::notice title=dacapo check::no execution is in flight" in job.output
    assert job.outputs() == {"exit-status": "0"}


@pytest.mark.prove
def test_aws_that_refuses_fails_the_job_before_the_check(job: Job) -> None:
    assert job.run(functions="order", target="app.py:handler") == 2
    assert "Error: there is no function order in eu-central-1" in job.output
    assert job.outputs() == {}


HOSTILE = ["target", "functions", "sample", "env_file", "template", "histories", "reports"]


@pytest.mark.parametrize("name", every(0, HOSTILE))
def test_an_input_is_never_run_as_a_command(job: Job, name: str) -> None:
    inputs = {"functions": "orders", "target": "app.py:handler", "sample": "1"}
    hostile = f'"; touch {job.folder}/run; $(touch {job.folder}/run) `touch {job.folder}/run` #'
    job.run(**{**inputs, name: hostile})
    assert job.output
    assert not (job.folder / "run").exists()
