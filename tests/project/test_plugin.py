"""The pytest plugin does nothing in a test run that does not ask for it.

Each test runs pytest in a fresh process, with the credentials of a user in its environment, in the
order in which pytest loads things: plugins, conftest, test modules, fixtures.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import command_line

ROOT = Path(__file__).parents[2]
IMPORTABLE = (ROOT, ROOT / "lab", ROOT / "src")
USERS_KEY = "the-key-of-a-user"

UNRELATED = """
    import os, sys, random, time
    import botocore.handlers
    import boto3

    def test_nothing_is_touched():
        assert not [name for name in sys.modules if name.split(".")[0] == "dacapo"]
        assert os.environ["AWS_ACCESS_KEY_ID"] == "the-key-of-a-user"
        assert os.environ["AWS_DEFAULT_REGION"] == "eu-central-1"
        handlers = [handler for _, handler, *_ in botocore.handlers.BUILTIN_HANDLERS]
        assert not [h for h in handlers if getattr(h, "__module__", "").startswith("dacapo")]
        assert type(time.sleep).__name__ == "builtin_function_or_method"
"""
WITH_MOTO = """
    from moto import mock_aws

    @mock_aws
    def test_moto_answers_as_ever():
        import boto3, sys
        assert boto3.client("dynamodb").list_tables()["TableNames"] == []
        assert "dacapo" not in sys.modules
"""
HANDLER = """
    from aws_durable_execution_sdk_python import durable_execution

    @durable_execution
    def handler(event, context):
        return context.step(lambda _: calls(), name="call")

    def calls():
        try:
            client.get_durable_execution(DurableExecutionArn="arn:aws:lambda:us-east-1:1:x")
        except client.exceptions.ResourceNotFoundException:
            return "answered by the run"
"""
CLIENT_AT_IMPORT = f"""
    import boto3
    client = boto3.client("lambda")
    {HANDLER}
    def test_a_client_made_at_import_reaches_the_run(durable):
        from dacapo import Scenario
        assert durable.run(Scenario(handler=handler)).result == "answered by the run"
"""
CLIENT_BEFORE = f"""
    from conftest import client
    {HANDLER}
    def test_a_client_made_too_early(durable):
        from dacapo import Scenario
        durable.run(Scenario(handler=handler))
"""
LEAVES = """
    import os, time
    import pytest
    from aws_durable_execution_sdk_python import durable_execution
    from dacapo import Scenario

    def of(act):
        @durable_execution
        def handler(event, context):
            return context.step(lambda _: act(), name="act")
        return Scenario(handler=handler)

    @pytest.mark.parametrize("act", [lambda: os._exit(3), lambda: time.sleep(3600)])
    def test_a_cut_off(durable, act):
        recording = durable.run(of(act))
        assert recording.status == "FAILED"
        assert recording.error.type in ("Runtime.ExitError", "Sandbox.Timedout")

    def test_b_proved_to_exit(durable):
        durable.verify(of(lambda: os._exit(3)))

    def test_c_comes_after_it(durable):
        assert durable.run(of(lambda: "done")).result == "done"
"""


def run_pytest(folder: Path, *options: str, **files: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a fresh process, as a user with credentials does."""
    for name, text in files.items():
        lines = text.splitlines()
        (folder / f"{name}.py").write_text("\n".join(line[4:] for line in lines) + "\n")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ACCESS_KEY_ID": USERS_KEY,
        "AWS_SECRET_ACCESS_KEY": USERS_KEY,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "PYTHONPATH": os.pathsep.join(map(str, IMPORTABLE)),
    }
    return command_line.run_pytest(*options, cwd=folder, environment=environment)


@pytest.mark.parametrize("files", [{"test_plain": UNRELATED}, {"test_moto": WITH_MOTO}], ids=str)
def test_a_run_that_does_not_ask_for_dacapo_does_not_get_it(
    tmp_path: Path, files: dict[str, str]
) -> None:
    done = run_pytest(tmp_path, **files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.prove
def test_a_module_that_asks_for_the_fixture_may_make_its_clients_at_import(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, test_early=CLIENT_AT_IMPORT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prove
def test_a_handler_that_ends_its_process_ends_neither_pytest_nor_the_tests_after_it(
    tmp_path: Path,
) -> None:
    done = run_pytest(tmp_path, test_leaves=LEAVES)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 3 passed" in done.stdout
    assert "died at" in done.stdout


@pytest.mark.prove
def test_a_client_made_before_the_fixture_is_met_is_refused_with_what_to_do(tmp_path: Path) -> None:
    conftest = """
    import boto3
    client = boto3.client("lambda")
    """
    done = run_pytest(tmp_path, conftest=conftest, test_late=CLIENT_BEFORE)
    assert done.returncode == 1
    assert "import dacapo before the module that creates the client" in done.stdout


@pytest.mark.prove
def test_the_users_own_import_takes_the_process_offline(tmp_path: Path) -> None:
    own = f"""
    import os
    import dacapo

    def test_offline():
        assert os.environ["AWS_ACCESS_KEY_ID"] != "{USERS_KEY}"
    """
    assert run_pytest(tmp_path, test_own=own).returncode == 0


@pytest.mark.prove
def test_an_option_of_dacapo_takes_the_process_offline(tmp_path: Path) -> None:
    option = """
    import sys

    def test_imported():
        assert "dacapo" in sys.modules
    """
    assert run_pytest(tmp_path, "--dacapo-engine", "sim", test_option=option).returncode == 0
    assert run_pytest(tmp_path, test_option=option).returncode == 1


def test_loading_the_plugin_imports_nothing_of_dacapo() -> None:
    program = (
        "import sys, _dacapo_pytest\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('dacapo', 'boto3')]"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, IMPORTABLE))}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
