"""The runner in virtual time has the interface of the official one that is installed."""

from __future__ import annotations

import inspect
import os
import sys
from typing import Any

import pytest
from aws_durable_execution_sdk_python_testing import runner as official
from aws_durable_execution_sdk_python_testing.model import GetDurableExecutionHistoryResponse

from dacapo import testing
from tests import command_line
from tests.testing import handlers

CLASSES = [
    (getattr(official, name), getattr(testing, name))
    for name in ("DurableFunctionTestRunner", "DurableChildContextTestRunner")
]


def members(kind: type) -> dict[str, Any]:
    special = ("__init__", "__enter__", "__exit__")
    return {
        name: value
        for name, value in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") or name in special
    }


def shape(function: Any) -> list[tuple[str, Any, Any]]:
    """Return names, kinds and default values of a function's parameters."""
    parameters = inspect.signature(function).parameters.values()
    return [(one.name, one.kind, one.default) for one in parameters]


@pytest.mark.parametrize(("theirs", "ours"), CLASSES, ids=lambda kind: kind.__name__)
def test_every_public_method_has_the_official_parameters(theirs: type, ours: type) -> None:
    assert {name: shape(member) for name, member in members(ours).items()} == {
        name: shape(member) for name, member in members(theirs).items()
    }


def test_a_runner_has_the_public_attributes_of_the_official_one() -> None:
    with official.DurableFunctionTestRunner(handlers.waits, poll_interval=3) as theirs:
        public = {name: value for name, value in vars(theirs).items() if not name.startswith("_")}
    ours = testing.DurableFunctionTestRunner(handlers.waits, poll_interval=3)
    assert {name: value for name, value in vars(ours).items() if not name.startswith("_")} == public


def test_the_child_context_runner_is_a_runner() -> None:
    assert issubclass(testing.DurableChildContextTestRunner, testing.DurableFunctionTestRunner)


def test_results_and_histories_are_the_official_packages_own() -> None:
    with testing.DurableFunctionTestRunner(handlers.waits) as runner:
        arn = runner.run_async()
        result = runner.wait_for_result(arn)
        history = runner.get_execution_history(arn)
    assert type(result) is official.DurableFunctionTestResult
    assert type(result.get_wait("a month")) is official.WaitOperation
    assert type(history) is GetDurableExecutionHistoryResponse
    assert history.events[0].event_type == "ExecutionStarted"


def test_the_room_has_no_other_names() -> None:
    with pytest.raises(AttributeError):
        testing.DurableFunctionCloudTestRunner  # noqa: B018


@pytest.mark.prove
def test_without_the_official_package_dacapo_works_and_the_runner_says_what_to_install() -> None:
    program = (
        "import sys\n"
        f"sys.modules['{testing.OFFICIAL}'] = None\n"
        "import dacapo.testing\n"
        "try:\n"
        "    from dacapo.testing import DurableFunctionTestRunner\n"
        "except ImportError as error:\n"
        "    assert 'pip install aws-durable-execution-sdk-python-testing' in str(error), error\n"
        "else:\n"
        "    raise AssertionError('it is not missing')"
    )
    environment = {"PATH": "", "PYTHONPATH": os.pathsep.join(command_line.PATH)}
    done = command_line.run_process(
        [sys.executable, "-c", program], cwd=command_line.REPOSITORY, environment=environment
    )
    assert done.returncode == 0, done.stderr
