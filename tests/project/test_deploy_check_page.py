"""docs/deploy-check.md: its commands as a new user enters them, its policy, its examples."""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from cfnlint.data import AdditionalSpecs

from dacapo.history.fetching import CALLS
from dacapo.simulation.simulation import Simulation
from tests.command_line import PATH, run_shell
from tests.lab.api import running, start_execution
from tests.lab.endpoint import lambda_endpoint
from tests.project.test_action import ACTION

PAGE = (Path(__file__).parents[2] / "docs/deploy-check.md").read_text()
BLOCKS = {
    language: re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    for language in ("sh", "json", "yaml", "python", "toml")
}
(COMMANDS,) = (block for block in BLOCKS["sh"] if "pip install" in block)
HELPERS = 'NAME = "{name}"\n\ndef work(_):\n    return NAME\n'
APP = """
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration
from helpers import work

@durable_execution
def handler(event, context):
    context.step(work, name="reserve")
    context.wait(Duration.from_days(1), name="wait")
    context.step(work, name="ship")
"""
FUNCTIONS = ("order", "invoice")
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function"


@pytest.fixture
def monorepo(tmp_path: Path) -> Path:
    """Two functions in plain folders, whose helpers have the same name."""
    for name in FUNCTIONS:
        folder = tmp_path / "functions" / name
        folder.mkdir(parents=True)
        (folder / "app.py").write_text(APP)
        (folder / "helpers.py").write_text(HELPERS.format(name=name))
    return tmp_path


@pytest.fixture
def aws() -> Iterator[tuple[str, list[str]]]:
    """Both functions as they are deployed, each with executions in flight."""
    with running() as simulation:
        for name in FUNCTIONS:
            _deploy(simulation, name)
            for number in range(2):
                start_execution(simulation, name, {}, f"{name}-{number}")
    with simulation.answering(), lambda_endpoint() as endpoint:
        yield endpoint


def _deploy(simulation: Simulation, name: str) -> None:
    scope: dict[str, Any] = {}
    source = APP.replace("from helpers import work\n", HELPERS.format(name=name))
    exec(source, scope)
    simulation.add_function(name, scope["handler"])


def enter(command: str, folder: Path, url: str) -> tuple[int, str]:
    environment = {
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(PATH),
        "AWS_ENDPOINT_URL_LAMBDA": url,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "key",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    done = run_shell(command, cwd=folder, environment=environment)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.prove
def test_three_commands_lead_to_a_checked_deployment(
    monorepo: Path, aws: tuple[str, list[str]]
) -> None:
    install, *commands = COMMANDS.splitlines()
    assert install.startswith("pip install ")  # what it installs is what runs here
    for command in commands:
        status, output = enter(command, monorepo, aws[0])
        assert status == 0, output
    assert "app.py:handler keeps all 2 histories" in output
    app = monorepo / "functions/order/app.py"
    app.write_text(APP.replace("reserve", "book"))
    status, output = enter(commands[-1], monorepo, aws[0])
    assert (status, "functions/order/app.py:8" in output) == (1, True), output


@pytest.mark.prove
def test_both_functions_of_a_monorepo_are_checked_by_one_command(
    monorepo: Path, aws: tuple[str, list[str]]
) -> None:
    for name in FUNCTIONS:
        command = f"dacapo history {name} -o histories/{name}"
        assert enter(command, monorepo, aws[0])[0] == 0
    tables = [
        f'[tool.dacapo.functions.{name}]\ntarget = "functions/{name}/app.py:handler"\n'
        for name in FUNCTIONS
    ]
    (monorepo / "pyproject.toml").write_text("\n".join(tables))
    status, output = enter("dacapo check", monorepo, aws[0])
    assert (status, output.count("keeps all 2 histories")) == (0, 2), output


# -- the policy -------------------------------------------------------------------------------


def policy() -> Any:
    (text,) = (block for block in BLOCKS["json"] if "Statement" in block)
    return json.loads(text.replace("REGION", "eu-central-1").replace("ACCOUNT", "123456789012"))


def allows(action: str, resource: str) -> bool:
    """Return whether the policy allows a call; `*` stands for any text, slashes included."""
    return any(
        action in _listed(statement["Action"])
        and any(fnmatch.fnmatchcase(resource, one) for one in _listed(statement["Resource"]))
        for statement in policy()["Statement"]
    )


def _listed(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def call_of(path: str) -> tuple[str, str]:
    """Return the action and the resource of a request, as the service authorization names them."""
    _, _, kind, name, *rest = path.split("/")
    if kind == "functions":
        return f"lambda:{CALLS[0]}", f"{FUNCTION}:{unquote(name)}"
    action = CALLS[2] if rest else CALLS[1]
    # The simulated functions are in another region than the endpoint's client.
    return f"lambda:{action}", unquote(name).replace("us-east-1", "eu-central-1")


@pytest.mark.prove
def test_the_policy_allows_every_call_that_the_command_makes(
    monorepo: Path, aws: tuple[str, list[str]]
) -> None:
    url, calls = aws
    assert enter("dacapo history order -o histories", monorepo, url)[0] == 0
    calls_made = {call_of(call.rpartition(" ")[2]) for call in calls}
    assert {action for action, _ in calls_made} == {f"lambda:{name}" for name in CALLS}
    assert [call for call in calls_made if not allows(*call)] == []
    # A qualifier makes the version or the alias the resource.
    assert allows(
        f"lambda:{CALLS[0]}", "arn:aws:lambda:eu-central-1:123456789012:function:order:live"
    )


def test_the_policy_allows_nothing_else() -> None:
    actions = {a for statement in policy()["Statement"] for a in _listed(statement["Action"])}
    assert actions == {f"lambda:{name}" for name in CALLS}
    for action in actions:
        assert not allows(action, f"{FUNCTION}:orders")
        assert not allows(action, f"{FUNCTION}:invoice:1/durable-execution/a/b")


def test_each_action_of_the_policy_has_a_resource_of_the_type_that_iam_knows() -> None:
    text = (Path(str(AdditionalSpecs.__path__[0])) / "Policies.json").read_text()
    known = json.loads(text)["lambda"]["Actions"]
    for statement in policy()["Statement"]:
        for action in _listed(statement["Action"]):
            (kind,) = known[action.partition(":")[2].lower()]["Resources"]
            is_execution = all("/durable-execution/" in r for r in _listed(statement["Resource"]))
            assert is_execution == (kind == "durable execution")


# -- the examples -----------------------------------------------------------------------------


def test_the_workflow_passes_only_inputs_of_the_action_and_reads_its_outputs() -> None:
    (workflow,) = map(yaml.safe_load, BLOCKS["yaml"])
    steps = workflow["jobs"]["deploy-check"]["steps"]
    (step,) = (step for step in steps if step.get("id") == "check")
    assert set(step["with"]) <= set(ACTION["inputs"])
    outputs = set(re.findall(r"steps\.check\.outputs\.(\w+)", BLOCKS["yaml"][0]))
    assert outputs <= set(ACTION["outputs"])


def test_the_redaction_keeps_the_shape_of_what_it_masks() -> None:
    (source,) = (block for block in BLOCKS["python"] if "def mask" in block)
    scope: dict[str, Any] = {}
    exec(source, scope)
    mask = scope["mask"]
    assert json.loads(mask('{"card": "4111", "total": 3}', "pay")) == {"card": "masked", "total": 3}
    assert mask("[1, 2]", "pay") == "[1, 2]"
    assert mask("no card 4111", "pay") == "masked"
