"""The pytest plugin, and the official runner as its second engine."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from dacapo import Happening, Scenario, fail_next_calls, official, pytest_plugin, succeed
from dacapo.official_api import CannotRun
from dacapo.pytest_plugin import Durable
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


def test_the_fixture_runs_scenarios_on_the_simulated_service(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST_FILE)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_the_fixture_runs_scenarios_on_the_official_runner_or_says_why_not(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(TEST_FILE)
    result = pytester.runpytest_subprocess("--engine", "sdk", "-rs", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*a callback is left to time out, which takes real time here*"])


def test_an_engine_that_does_not_exist_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST_FILE)
    result = pytester.runpytest_subprocess("--engine", "moon")
    result.stderr.fnmatch_lines(["*--engine*invalid choice*moon*"])


def test_an_engine_that_is_not_installed_is_refused_before_any_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pytest_plugin, "find_spec", lambda _: None)
    with pytest.raises(
        pytest.UsageError, match="pip install aws-durable-execution-sdk-python-testing"
    ):
        pytester.parseconfigure("--engine", "sdk")


def test_one_seed_gives_one_recording() -> None:
    scenario = Scenario(handler=handlers.any_two, event=6)
    durable = Durable("sim")
    assert durable.run(scenario, seed=3) == durable.run(scenario, seed=3)


def test_happenings_come_once_the_official_runner_has_skipped_past_their_time() -> None:
    seen: list[str] = []

    def note(minutes: int, _: object) -> None:
        seen.append(f"after {minutes}")

    happenings = [
        Happening(timedelta(minutes=n), f"after {n}", partial(note, n)) for n in (2, 1, 500)
    ]
    recording = official.run(Scenario(handler=handlers.waits, event=3, happenings=happenings))
    assert recording.result == 3
    assert seen == ["after 1", "after 2"]


def test_the_official_runner_can_not_be_told_to_fail_a_call() -> None:
    happening = Happening(
        timedelta(0), "trouble", lambda _: fail_next_calls("Invoke", "ServiceException")
    )
    scenario = Scenario(handler=handlers.called_back, happenings=[happening])
    with pytest.raises(CannotRun, match="Invoke can't be made to fail"):
        official.run(scenario)


def test_an_answer_after_the_timeout_can_not_be_shown_on_the_official_runner() -> None:
    late = Happening(timedelta(days=2), "too late", lambda _: None)
    scenario = Scenario(handler=handlers.called_back, happenings=[late])
    with pytest.raises(CannotRun, match="left to time out"):
        official.run(scenario)


def test_counts_of_the_official_runner_are_worked_out_from_its_updates() -> None:
    scenario = Scenario(handler=handlers.called_back, answers={"callback": succeed(1)})
    assert official.run(scenario).charged_operations == 3
