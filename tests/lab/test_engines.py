"""The pytest plugin, with the simulated service and the official runner as engines."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

import _dacapo_pytest
from dacapo import ExternalEvent, Scenario, fail_next_calls, pause, succeed
from dacapo.errors import UnsupportedByEngine
from dacapo.official import runner
from dacapo.testing.fixture import Durable
from tests.lab import handlers

pytest_plugins = ["pytester"]

TEST_FILE = """
    import pytest
    from datetime import timedelta
    from dacapo import Scenario, succeed
    from aws_durable_execution_sdk_python import durable_execution
    from aws_durable_execution_sdk_python.config import CallbackConfig, Duration

    @durable_execution
    def handler(event, context):
        config = CallbackConfig(timeout=Duration.from_hours(1))
        return context.create_callback(name="question", config=config).result()

    def test_answered(durable):
        recording = durable.run(Scenario(handler=handler, answers={"question": succeed(1)}))
        assert (recording.result, recording.engine) == ("1", durable.engine)

    def test_not_answered(durable):
        assert durable.run(Scenario(handler=handler)).status == "FAILED"
"""


@pytest.mark.prove
def test_the_fixture_runs_scenarios_on_the_simulated_service(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST_FILE)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)


@pytest.mark.prove
def test_the_fixture_runs_scenarios_on_the_official_runner_or_says_why_not(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(TEST_FILE)
    result = pytester.runpytest_subprocess(
        "--dacapo-engine", "sdk", "-rs", "-p", "no:cacheprovider"
    )
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*a callback is left to time out, which takes real time here*"])


def test_an_unknown_engine_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST_FILE)
    result = pytester.runpytest_subprocess("--dacapo-engine", "moon")
    result.stderr.fnmatch_lines(["*--dacapo-engine*invalid choice*moon*"])


def test_an_engine_that_is_not_installed_is_refused_before_any_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_dacapo_pytest, "find_spec", lambda _: None)
    with pytest.raises(
        pytest.UsageError, match="pip install aws-durable-execution-sdk-python-testing"
    ):
        pytester.parseconfigure("--dacapo-engine", "sdk")


def test_the_same_seed_reproduces_the_same_recording() -> None:
    scenario = Scenario(handler=handlers.any_two, event=6)
    durable = Durable("sim")
    assert durable.run(scenario, seed=3) == durable.run(scenario, seed=3)


def test_the_official_runner_runs_external_events_once_it_skips_past_their_time() -> None:
    events: list[str] = []

    def record(minutes: int, _: object) -> None:
        events.append(f"after {minutes}")

    external_events = [
        ExternalEvent(timedelta(minutes=n), f"after {n}", partial(record, n)) for n in (2, 1, 500)
    ]
    recording = runner.run(
        Scenario(handler=handlers.waits, event=3, external_events=external_events)
    )
    assert recording.result == 3
    assert events == ["after 1", "after 2"]


def test_the_official_runner_does_not_support_failing_a_call() -> None:
    external_event = ExternalEvent(
        timedelta(0), "trouble", lambda _: fail_next_calls("Invoke", "ServiceException")
    )
    scenario = Scenario(handler=handlers.called_back, external_events=[external_event])
    with pytest.raises(UnsupportedByEngine, match="Invoke can't be made to fail"):
        runner.run(scenario)


def test_the_official_runner_does_not_support_a_pause() -> None:
    scenario = Scenario(handler=handlers.called_back, external_events=[pause(after=timedelta(0))])
    with pytest.raises(UnsupportedByEngine, match="pauses or resumes its execution"):
        runner.run(scenario)


def test_the_official_runner_does_not_support_a_callback_timeout() -> None:
    late = ExternalEvent(timedelta(days=2), "too late", lambda _: None)
    scenario = Scenario(handler=handlers.called_back, external_events=[late])
    with pytest.raises(UnsupportedByEngine, match="left to time out"):
        runner.run(scenario)


def test_operations_on_the_official_runner_are_counted_from_its_updates() -> None:
    scenario = Scenario(handler=handlers.called_back, answers={"callback": succeed(1)})
    assert runner.run(scenario).charged_operations == 3
