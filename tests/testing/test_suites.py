"""pytest's options: a suite for the official runner in virtual time, its files unchanged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.testing.suites import ROOT, recorded, run, write

HANDLERS = """
    from datetime import datetime
    import boto3
    from aws_durable_execution_sdk_python import durable_execution
    from aws_durable_execution_sdk_python.config import CallbackConfig, Duration

    A_DAY = CallbackConfig(timeout=Duration.from_days(1))

    @durable_execution
    def asks(event, context):
        answer = context.create_callback(name="answer", config=A_DAY).result()
        context.step(lambda _: str(datetime.now()), name="read the clock")
        return answer

    def send(text):
        return text

    @durable_execution
    def sends(event, context):
        context.wait(Duration.from_days(1), name="wait")
        return context.step(lambda _: send(event), name="send")

    s3 = boto3.client("s3")

    @durable_execution
    def lists(event, context):
        return context.step(lambda _: s3.list_buckets()["Buckets"], name="list")

    @durable_execution
    def writes(event, context):
        return context.step(lambda _: open(event, "w").write("x"), name="write")

    @durable_execution
    def forgets(event, context):
        seen = []
        context.step(lambda _: seen.append(1), name="see")
        context.wait(Duration.from_days(1), name="wait")
        return context.step(lambda _: len(seen), name="count")
    """
CONFTEST = """
    import pytest
    from aws_durable_execution_sdk_python_testing.runner import DurableFunctionTestRunner

    @pytest.fixture
    def runner(request):
        with DurableFunctionTestRunner(request.param, poll_interval=0.05) as runner:
            yield runner
    """
ANSWERED = """
    from time import sleep
    import pytest
    import handlers

    @pytest.mark.parametrize("runner", [handlers.asks], indirect=True)
    def test_answered(runner):
        arn = runner.run_async()
        callback_id = runner.wait_for_callback(arn)
        sleep(SECONDS)
        runner.send_callback_success(callback_id, b"yes")
        result = runner.wait_for_result(arn)
        assert result.result == '"yes"'
        length = result.get_callback("answer")
        assert (length.end_timestamp - length.start_timestamp).total_seconds() >= SECONDS
    """
FORGETS = """
    import pytest
    import handlers

    @pytest.mark.parametrize("runner", [handlers.forgets], indirect=True)
    def test_counts(runner):
        assert runner.run().result == "0"
    """
LIVES_IN_THE_TEST = """
    from unittest.mock import patch
    import boto3
    import handlers
    from botocore.stub import Stubber
    from aws_durable_execution_sdk_python import durable_execution
    from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner

    def test_mock():
        with patch.object(handlers, "send", return_value=3) as send:
            with DurableFunctionTestRunner(handlers.sends) as runner:
                assert runner.run("x").result == "3"
        send.assert_called_once()

    def test_function(monkeypatch):
        monkeypatch.setattr(handlers, "send", lambda text: text * 2)
        with DurableFunctionTestRunner(handlers.sends) as runner:
            assert runner.run("x").result == '"xx"'

    def test_stub():
        stub = Stubber(handlers.s3)
        stub.add_response("list_buckets", {"Buckets": []})
        with stub, DurableFunctionTestRunner(handlers.lists) as runner:
            assert runner.run().result == "[]"

    def test_boto3():
        with DurableFunctionTestRunner(handlers.asks) as runner:
            arn = runner.run_async()
            boto3.client("lambda").send_durable_execution_callback_success(
                CallbackId=runner.wait_for_callback(arn), Result=b"yes"
            )
            runner.wait_for_result(arn)

    def test_itself():
        @durable_execution
        def handler(event, context):
            send = runner.send_callback_success
            return context.wait_for_callback(lambda id, _: send(id, b"yes"), name="ask")

        with DurableFunctionTestRunner(handler) as runner:
            assert runner.run().result == '"yes"'

    def test_closure():
        seen = []

        @durable_execution
        def handler(event, context):
            context.step(lambda _: seen.append(1), name="see")

        with DurableFunctionTestRunner(handler) as runner:
            runner.run()
        assert seen == [1]

    def test_writes(tmp_path):
        with DurableFunctionTestRunner(handlers.writes) as runner:
            runner.run(str(tmp_path / "file"))

    def test_unfinished():
        with DurableFunctionTestRunner(handlers.asks) as runner:
            runner.wait_for_callback(runner.run_async())
    """
BUILDS_ITS_WORLD = """
    import boto3
    import pytest
    from aws_durable_execution_sdk_python import durable_execution
    from aws_durable_execution_sdk_python.config import Duration
    from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
    from moto import mock_aws

    dynamodb = boto3.client("dynamodb", region_name="us-east-1")
    KEY = dict(TableName="orders", Item={"id": {"S": "17"}})

    @durable_execution
    def handler(event, context):
        condition = "attribute_not_exists(id)"
        put = lambda _: bool(dynamodb.put_item(**KEY, ConditionExpression=condition)) and "put"
        context.wait(Duration.from_days(1), name="wait")
        return context.step(put, name="put")

    @pytest.fixture
    def table():
        with mock_aws():
            dynamodb.create_table(
                TableName="orders",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
            yield

    def test_put(table):
        with DurableFunctionTestRunner(handler) as runner:
            assert runner.run().result == '"put"'
            assert runner.run().error is not None, "the row is not there"
    """
DATES = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d[+:\d]*")
SHARE = "tests/plain/test_polling.py"


def answered(seconds: int) -> str:
    return ANSWERED.replace("SECONDS", str(seconds))


@pytest.mark.prove
def test_a_suite_for_the_official_runner_runs_in_virtual_time(tmp_path: Path) -> None:
    write(tmp_path, handlers=HANDLERS, conftest=CONFTEST, test_it=answered(80_000))
    done = run(tmp_path, "--dacapo-runner")
    assert done.returncode == 0, done.stdout + done.stderr
    write(tmp_path, test_it=answered(1))
    done = run(tmp_path, "-p", "no:dacapo")
    assert done.returncode == 0, "the suite does not pass with the official runner"


@pytest.mark.prove
def test_the_workers_of_xdist_have_the_runner_too(tmp_path: Path) -> None:
    write(tmp_path, handlers=HANDLERS, conftest=CONFTEST, test_it=answered(80_000))
    done = run(tmp_path, "--dacapo-runner", "--numprocesses", "1")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prove
def test_a_runner_that_is_imported_sees_a_sleep_that_was_imported_before_it(
    tmp_path: Path,
) -> None:
    test = answered(80_000)
    conftest = CONFTEST.replace("aws_durable_execution_sdk_python_testing.runner", "dacapo.testing")
    write(tmp_path, handlers="    from time import sleep" + HANDLERS, test_it=test)
    write(tmp_path, conftest="    import handlers" + conftest)
    test = test.replace("from time import sleep", "from handlers import sleep")
    write(tmp_path, test_it=test)
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prove
def test_the_next_test_has_its_own_clock_back(tmp_path: Path) -> None:
    left_open = """
    from datetime import UTC, datetime
    import handlers
    from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
    began = datetime.now(UTC)

    def test_a_leaves_an_execution_running():
        runner = DurableFunctionTestRunner(handlers.asks)
        runner.wait_for_callback(runner.run_async())
        assert datetime.now(UTC) == datetime.now(UTC), "its clock is not virtual"

    def test_b():
        assert began < datetime.now(UTC) != datetime.now(UTC)
    """
    write(tmp_path, handlers=HANDLERS, test_it=left_open)
    done = run(tmp_path, "--dacapo-runner")
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_not_combined_with_the_official_engine(tmp_path: Path) -> None:
    done = run(tmp_path, "--dacapo-runner", "--dacapo-engine", "sdk")
    assert done.returncode != 0
    assert "--dacapo-engine sdk needs the runner" in done.stderr + done.stdout


def test_the_page_names_the_options_that_there_are(pytestconfig: pytest.Config) -> None:
    pages = [(ROOT / page).read_text() for page in ("docs/testing.md", "README.md")]
    options = {option for page in pages for option in re.findall(r"--dacapo-[a-z]+", page)}
    assert len(options) >= 4
    for option in options:
        pytestconfig.getoption(option)  # which raises for one that there is not


def verified(folder: Path, *options: str) -> Any:
    return run(folder, "--dacapo-verify", *options)


@pytest.mark.prove
def test_a_test_whose_handler_does_not_survive_replay_fails_with_the_finding(
    tmp_path: Path,
) -> None:
    write(tmp_path, handlers=HANDLERS, conftest=CONFTEST, test_it=FORGETS)
    done = verified(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "different-result at handlers.py:" in done.stdout
    assert "executions: 1 breaks" in done.stdout


@pytest.mark.prove
def test_findings_are_reported_if_that_is_chosen(tmp_path: Path) -> None:
    write(tmp_path, handlers=HANDLERS, conftest=CONFTEST, test_it=FORGETS)
    done = verified(tmp_path, "--dacapo-findings", "report")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "different-result at handlers.py:" in done.stdout
    assert run(tmp_path, "--dacapo-runner").returncode == 0, "the test fails anyway"


@pytest.mark.prove
def test_what_a_test_did_from_outside_is_the_scenario_that_is_verified(tmp_path: Path) -> None:
    write(tmp_path, handlers=HANDLERS, conftest=CONFTEST, test_it=answered(80_000))
    done = verified(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "executions: 1 survives" in done.stdout


@pytest.mark.prove
def test_the_world_that_a_test_has_built_is_there_in_each_run(tmp_path: Path) -> None:
    write(tmp_path, test_it=BUILDS_ITS_WORLD)
    done = verified(tmp_path)
    # In the test, the second execution finds the row of the first one. If a run found that of
    # another run, it would not end as its execution did.
    assert "executions: 2 survives" in done.stdout, done.stdout


@pytest.mark.prove
def test_what_lives_in_a_test_is_named_and_not_verified(tmp_path: Path) -> None:
    write(tmp_path, handlers=HANDLERS, conftest=CONFTEST, test_it=LIVES_IN_THE_TEST)
    done = verified(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "executions: 8 not verified" in done.stdout
    for named in (
        "handlers.send, which is a mock",
        "handlers.send, which is a function of the test",
        "handlers.s3, which is a client with stubbed responses",
        "a callback was answered through boto3",
        "the handler answers callbacks through the test's runner",
        "'seen', a variable of the test that the handler changes",
        "the execution had not ended when the test did",
        "nobody knows whether other processes have",
    ):
        assert named in done.stdout


def test_a_time_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    done = run(tmp_path, "--dacapo-runner", "--dacapo-start", "soon")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "'soon' is not a time in ISO 8601" in done.stderr
    assert "Traceback" not in done.stderr


@dataclass(frozen=True)
class Recordings:
    """Outcomes of tests' executions: once with the official runner, and twice with ours."""

    official: dict[str, Any]
    ours: tuple[dict[str, Any], dict[str, Any]]


def recordings_of(folder: Path, tests: str) -> Recordings:
    ours = ("--dacapo-runner", "--dacapo-start", "2026-01-01T12:00", tests)
    return Recordings(
        recorded(folder / "official", "-p", "no:dacapo", tests),
        (
            recorded(folder / "one", *ours, hash_seed="1"),
            recorded(folder / "other", *ours, hash_seed="2"),
        ),
    )


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    return recordings_of(tmp_path_factory.mktemp("some"), SHARE)


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    return recordings_of(tmp_path_factory.mktemp("every"), "tests/plain")


def results(recordings: dict[str, Any]) -> dict[str, Any]:
    """Return the results of executions, without dates: only one of two clocks moves."""
    return {
        test: [DATES.sub("DATE", str(one["result"])) for one in executions]
        for test, executions in recordings.items()
    }


@pytest.mark.prove
def test_plain_tests_come_to_equal_results_under_both_runners(some: Recordings) -> None:
    assert results(some.ours[0]) == results(some.official)


@pytest.mark.prove
def test_a_test_that_begins_at_a_given_time_has_the_same_history_each_time(
    some: Recordings,
) -> None:
    assert some.ours[0] == some.ours[1]


@pytest.mark.prove
def test_all_plain_tests_come_to_equal_results_under_both_runners(every: Recordings) -> None:
    assert len(every.official) > 30
    assert results(every.ours[0]) == results(every.official)


@pytest.mark.prove
def test_all_plain_tests_have_the_same_histories_each_time(every: Recordings) -> None:
    assert every.ours[0] == every.ours[1]
