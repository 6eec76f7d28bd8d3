"""The verdict says what was not checked: the ending, experiments left out, waivers, invariants."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Durable, HandlerStuck, Recording, Scenario, ScenarioError, Verdict, run, verify
from dacapo.cli.exit_status import MEANINGS
from dacapo.history import endings
from dacapo.process.source_lines import Place
from dacapo.verify.endings import invariant_observations
from dacapo.verify.findings import (
    Certainty,
    Code,
    Ending,
    Evidence,
    ExperimentName,
    ExperimentResult,
    ExperimentState,
    Observation,
    Report,
    contrast,
)
from dacapo.verify.triage import triage
from dacapo.verify.verifier import ALL
from gotchas import GOTCHAS
from tests.all_scenarios import SCENARIOS
from tests.command_line import assert_usage_error, dacapo
from tests.depth import every
from tests.lab import handlers
from tests.verify.quick import QUICK

ONLY_REFERENCE = ("--only", "reference run")
ENDINGS = """
import os
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import StepConfig
from aws_durable_execution_sdk_python.retries import RetryPresets
from dacapo import Scenario

@durable_execution
def no_event(event, context):
    return event["order"]  # the line

@durable_execution
def no_variable(event, context):
    table = os.environ["A_TABLE_THAT_IS_NOT_SET"]  # the line
    context.step(lambda _: table, name="read")

@durable_execution
async def asynchronous(event, context):  # the line
    return 1

@durable_execution
def recurses(event, context):
    def down():
        down()  # the line

    down()

@durable_execution
def fails_in_a_step(event, context):
    config = StepConfig(retry_strategy=RetryPresets.none())

    def read(_):
        return os.environ["A_TABLE_THAT_IS_NOT_SET"]  # the cause

    def read_all(child):
        child.step(read, name="read", config=config)

    context.run_in_child_context(read_all, name="read all")  # the line

@durable_execution
def refuses(event, context):
    raise LookupError("no such order")  # the line

expected = Scenario(handler=refuses, expects="LookupError")
waived = Scenario(handler=refuses, expects="FAILED", waives={"replayed": "it takes an hour"})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "endings.py").write_text(ENDINGS)
    return tmp_path


def line_of(handler: str) -> int:
    lines = ENDINGS.splitlines()
    start = next(n for n, line in enumerate(lines) if f"def {handler}(" in line)
    return next(n for n, line in enumerate(lines[start:], start + 1) if "the line" in line)


@pytest.mark.parametrize("command", ["run", "verify"])
@pytest.mark.parametrize(
    ("handler", "error"),
    [
        ("no_event", "TypeError: 'NoneType' object is not subscriptable"),
        ("no_variable", "KeyError: 'A_TABLE_THAT_IS_NOT_SET'"),
        ("asynchronous", "the handler is async, which the SDK does not support"),
        ("recurses", "RecursionError: maximum recursion depth exceeded"),
        ("refuses", "LookupError: no such order"),
    ],
)
def test_a_handler_that_fails_unexpectedly_exits_with_3_and_the_error_and_its_line(
    command: str, handler: str, error: str, folder: Path
) -> None:
    done = dacapo(command, f"endings.py:{handler}", cwd=folder, columns=200)
    assert done.returncode == 3
    assert "survives" not in done.stdout
    assert error in done.stdout
    first = next(
        line for line in done.stdout.splitlines() if error in line and "endings.py" in line
    )
    place = int(first.partition("endings.py:")[2].partition(")")[0])
    assert place == line_of(handler)


def test_an_exception_in_a_step_is_named_with_its_line_as_well(folder: Path) -> None:
    target = ("endings.py:fails_in_a_step", "--format", "json")
    printed = json.loads(dacapo("verify", *target, *ONLY_REFERENCE, cwd=folder).stdout)
    lines = ENDINGS.splitlines()
    cause = next(n for n, line in enumerate(lines, 1) if "the cause" in line)
    assert printed["error"]["line"] == line_of("fails_in_a_step")
    assert printed["error"]["cause"] == {"type": "KeyError", "file": "endings.py", "line": cause}
    assert f", from KeyError (endings.py:{cause})" in printed["reasons"][0]


def test_the_first_line_of_a_report_is_how_the_run_ended(folder: Path) -> None:
    done = dacapo("verify", "endings.py:refuses", *ONLY_REFERENCE, cwd=folder, columns=120)
    first, *_ = done.stdout.splitlines()
    assert first.startswith("the run ended with FAILED, LookupError: no such order (endings.py:")


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("target", ["closure_changed_in_a_step", "poll_inside_a_step"])
def test_no_line_of_a_report_is_wider_than_the_terminal(columns: int, target: str) -> None:
    experiments = [o for n in ("single invocation", "replayed") for o in ("--only", n)]
    done = dacapo("verify", f"gotchas/{target}.py:breaks", *experiments, columns=columns)
    assert max(map(len, done.stdout.splitlines())) <= columns
    assert "proved: " in done.stdout


def test_both_traces_are_shown_with_a_mark_where_they_part() -> None:
    target = "gotchas/compensations_noted_in_steps.py:breaks"
    done = dacapo("verify", target, "--only", "single invocation", columns=120)
    (marked,) = [line for line in done.stdout.splitlines() if "▶" in line]
    assert "cancel the hotel" in marked


@pytest.mark.prove
@pytest.mark.parametrize("expected", ["LookupError", "builtins.LookupError", "FAILED"])
def test_an_ending_that_is_expected_is_as_it_should_be(expected: str, folder: Path) -> None:
    for command in ("run", "verify"):
        done = dacapo(command, "endings.py:refuses", "--expect", expected, cwd=folder)
        assert done.returncode == 0, done.stdout
        assert dacapo(command, "endings.py:expected", cwd=folder).returncode == 0


@pytest.mark.parametrize(("expected", "status"), [("KeyError", 3), ("TIMED_OUT", 3), ("Lookup", 3)])
def test_another_ending_than_the_expected_one_exits_with_3(
    expected: str, status: int, folder: Path
) -> None:
    done = dacapo("run", "endings.py:refuses", "--expect", expected, cwd=folder)
    assert done.returncode == status
    assert f"expected: {expected}" in " ".join(done.stdout.split())


def test_an_ending_that_is_none_is_a_usage_error(folder: Path) -> None:
    done = dacapo("run", "endings.py:refuses", "--expect", "FAILD", cwd=folder)
    assert_usage_error(done, "--expect must be a status (SUCCEEDED, FAILED, TIMED_OUT")


@pytest.mark.parametrize(
    ("expects", "error_type", "is_expected"),
    [
        ("StepError", "aws.exceptions.StepError", True),
        ("aws.exceptions.StepError", "aws.exceptions.StepError", True),
        ("aws.exceptions.StepError", "StepError", True),
        ("other.StepError", "aws.exceptions.StepError", False),
        ("Error", "aws.exceptions.StepError", False),
        (KeyError, "KeyError", True),
        (None, "KeyError", False),
        ("FAILED", "KeyError", True),
    ],
)
def test_an_error_is_expected_by_its_short_name_its_dotted_name_or_its_class(
    expects: Any, error_type: str, is_expected: bool
) -> None:
    endings.check(expects)
    assert endings.is_expected(expects, "FAILED", error_type) == is_expected


@pytest.mark.parametrize("name", every(6, SCENARIOS))
def test_every_scenario_of_a_pattern_ends_as_it_expects_and_keeps_its_invariant(name: str) -> None:
    assert_as_expected(SCENARIOS[name])


@pytest.mark.parametrize("name", every(6, GOTCHAS))
@pytest.mark.parametrize("side", ["breaks", "holds"])
def test_every_scenario_of_a_gotcha_ends_as_it_expects(name: str, side: str) -> None:
    assert_as_expected(getattr(import_module(f"gotchas.{name}"), side))


def assert_as_expected(scenario: Scenario) -> None:
    recording = run(scenario)
    error = recording.error.type if recording.error else None
    assert endings.is_expected(scenario.expects, recording.status, error), error
    assert recording.broken_invariant is None


@pytest.mark.prove
def test_an_experiment_that_is_left_out_is_not_verified_unless_it_is_waived(folder: Path) -> None:
    scenario = Scenario(handler=handlers.steps, event=2)
    rest = [name for name in ALL if name != ExperimentName.REPLAYED]
    report = verify(scenario, only=rest)
    assert report.verdict == "not verified"
    assert report.reasons == ["'replayed' was left out: not asked for"]
    waived = verify(
        Scenario(handler=handlers.steps, event=2, waives={"replayed": "it takes an hour"}),
        only=rest,
    )
    assert waived.verdict == Verdict.SURVIVES
    assert waived.experiments["replayed"].state is ExperimentState.WAIVED


@pytest.mark.prove
def test_everything_that_applies_ran_if_a_handler_survives() -> None:
    report = verify(Scenario(handler=handlers.steps, event=2))
    assert report.verdict == "survives"
    assert report.experiments["interleavings"].state is ExperimentState.NOT_APPLICABLE


def test_a_waiver_of_what_is_not_an_experiment_is_a_mistake_in_the_scenario() -> None:
    scenario = Scenario(handler=handlers.steps, event=2, waives={"hypnotized": "it takes an hour"})
    with pytest.raises(ScenarioError, match="no experiment 'hypnotized' to waive; there are: 'ref"):
        verify(scenario)


@pytest.mark.prove
def test_a_waiver_is_read_from_pyproject_above_and_repeated_in_the_verdict(folder: Path) -> None:
    (folder / "pyproject.toml").write_text(
        '[[tool.dacapo.waive]]\nexperiment = "replayed"\nreason = "it takes an hour"\n'
    )
    (folder / "below").mkdir()
    target = "../endings.py:expected"
    done = dacapo("verify", target, "--skip", "replayed", cwd=folder / "below", columns=120)
    assert done.returncode == 0, done.stdout
    assert "'replayed' is waived: it takes an hour" in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[tool.dacapo.waive]]\nexperiment = "replayed"\n', "needs an experiment and a reason"),
        ('[[tool.dacapo.waive]]\nexperiment = "x"\nreason = "y"\n', "no experiment 'x' to waive"),
        ('[tool.dacapo.waive]\nexperiment = "x"\n', "write [[tool.dacapo.waive]], once for each"),
        ("[[tool.dacapo.ignores]]\n", "there is no [tool.dacapo.ignores]"),
        ("[tool", "can't be read"),
    ],
)
def test_a_mistake_in_the_configuration_is_a_usage_error(
    text: str, message: str, folder: Path
) -> None:
    (folder / "pyproject.toml").write_text(text)
    assert_usage_error(dacapo("verify", "endings.py:expected", cwd=folder), message)


def test_what_is_proved_wins_over_what_is_not_verified_and_the_reasons_are_still_given() -> None:
    done = dacapo("verify", "gotchas/parent_context_in_a_child.py:breaks", *ONLY_REFERENCE)
    assert done.returncode == 1
    assert "'replayed' was left out: not asked for" in done.stdout


@pytest.mark.prove
def test_lints_change_the_status_only_if_they_are_asked_to() -> None:
    target = "gotchas/types_that_change.py:breaks"
    assert dacapo("verify", target).returncode == 0
    assert dacapo("verify", target, "--skip", "cold", "--fail-on", "lint").returncode == 1


def test_the_json_of_verify_has_everything_that_the_page_says(folder: Path) -> None:
    done = dacapo("verify", "endings.py:refuses", *ONLY_REFERENCE, "--format", "json", cwd=folder)
    printed = json.loads(done.stdout)
    line = line_of("refuses")
    assert {name: printed[name] for name in ("schema", "status", "verdict", "exit_status")} == {
        "schema": 1,
        "status": "FAILED",
        "verdict": "not verified",
        "exit_status": 3,
    }
    assert printed["error"] == {
        "type": "LookupError",
        "message": "no such order",
        "file": "endings.py",
        "line": line,
        "cause": None,
    }
    assert printed["reasons"][0].startswith("the run ended with FAILED, LookupError")
    assert printed["experiments"]["replayed"]["reason"] == "not asked for"
    page = Path(__file__).parents[2].joinpath("docs/verdict.md").read_text()
    assert [name for name in printed if f"`{name}`" not in page] == []


def test_the_page_has_the_table_of_exit_statuses() -> None:
    page = Path(__file__).parents[2].joinpath("docs/verdict.md").read_text()
    for status, meaning in MEANINGS.items():
        assert f"| {status.value} | {meaning} |" in page


# -- invariants ------------------------------------------------------------------------------------


SEATS: list[str] = []
"""The world of a handler that books."""


@contextmanager
def theater() -> Iterator[list[str]]:
    SEATS.clear()
    yield SEATS


@durable_execution
def books_twice_if_it_crashes(event: Any, context: DurableContext) -> None:
    context.step(lambda _: SEATS.append("12A"), name="book")
    context.wait(Duration.from_hours(1), name="later")


def at_most_one(_: Recording, seats: list[str]) -> None:
    assert len(seats) <= 1, f"{len(seats)} seats are booked"


@pytest.mark.prove
def test_an_invariant_is_asked_after_every_run_of_every_experiment() -> None:
    scenario = Scenario(handler=books_twice_if_it_crashes, world=theater, invariant=at_most_one)
    assert run(scenario).broken_invariant is None
    report = verify(scenario, only=QUICK)
    (finding,) = report.proved
    assert (finding.code, finding.experiment) == (Code.INVARIANT_BROKEN, ExperimentName.CRASHED)
    assert finding.message == "crashed everywhere: 2 seats are booked"
    assert finding.place is not None
    assert finding.place.file == __file__


def test_a_broken_invariant_is_kept_and_exits_with_1(tmp_path: Path) -> None:
    scenario = Scenario(handler=handlers.steps, event=1, invariant=lambda *_: False)
    broken = run(scenario).broken_invariant
    assert broken is not None
    (observation,) = invariant_observations(run(scenario), ExperimentName.SUSPENDED)
    assert (observation.code, observation.evidence) == (Code.INVARIANT_BROKEN, Evidence.RULE)
    (tmp_path / "broken.py").write_text(
        "from dacapo import Scenario\n"
        "from tests.lab.handlers import steps\n"
        "def holds(recording, world):\n"
        "    assert recording.status == 'FAILED', 'it succeeds'\n"
        "breaks = Scenario(handler=steps, event=1, invariant=holds)\n"
    )
    done = dacapo("run", "broken.py:breaks", "--format", "json", cwd=tmp_path)
    assert done.returncode == 1
    expected = {"message": "it succeeds", "file": "broken.py", "line": 4}
    assert json.loads(done.stdout)["broken_invariant"] == expected


def test_an_invariant_that_raises_something_else_is_a_mistake_in_the_scenario() -> None:
    scenario = Scenario(handler=handlers.steps, event=1, invariant=lambda _, world: world.seats)
    with pytest.raises(ScenarioError, match=r"invariant failed at tests.*AttributeError"):
        run(scenario)


# -- triage ----------------------------------------------------------------------------------------


def seen(code: Code, evidence: Evidence, line: int | None = None) -> Observation:
    place = None if line is None else Place("handler.py", line)
    return Observation(code, evidence, code.value, ExperimentName.REPLAYED, place)


def test_findings_are_proved_then_suspected_then_lints() -> None:
    findings = triage(
        [
            seen(Code.UNBOUNDED_WAIT, Evidence.LINT, 1),
            seen(Code.MANY_BYTES, Evidence.NEAR_LIMIT),
            seen(Code.EFFECT_OUTSIDE_STEP, Evidence.REPETITION, 2),
        ]
    )
    assert [finding.certainty for finding in findings] == list(Certainty)


def test_a_thread_of_the_handler_s_own_explains_a_suspension_that_is_swallowed() -> None:
    (finding,) = triage(
        [
            seen(Code.SUSPENSION_SWALLOWED, Evidence.DIFFERENCE, 7),
            seen(Code.DIFFERENT_THREAD, Evidence.SIGHTING, 5),
        ]
    )
    assert (finding.code, finding.certainty) == (Code.DIFFERENT_THREAD, Certainty.PROVED)
    assert [also.code for also in finding.also] == [Code.SUSPENSION_SWALLOWED]


def test_a_proved_finding_without_a_line_comes_under_one_that_names_it() -> None:
    (finding,) = triage(
        [
            seen(Code.DIFFERENT_RESULT, Evidence.DIFFERENCE),
            seen(Code.DIFFERENT_EFFECTS, Evidence.DIFFERENCE, 9),
        ]
    )
    assert (finding.code, finding.place) == (Code.DIFFERENT_EFFECTS, Place("handler.py", 9))
    assert [also.code for also in finding.also] == [Code.DIFFERENT_RESULT]


@pytest.mark.parametrize(
    ("causes", "certainty"),
    [
        ([], Certainty.LINT),
        ([(Code.DIFFERENT_RESULT, Evidence.DIFFERENCE)], Certainty.PROVED),
        (
            [
                (Code.DIFFERENT_RESULT, Evidence.DIFFERENCE),
                (Code.CLOCK_OUTSIDE_STEP, Evidence.DIFFERENCE),
            ],
            Certainty.LINT,
        ),
    ],
)
def test_a_lossy_serializer_is_proved_only_if_a_run_differs_and_nothing_else_explains_it(
    causes: list[tuple[Code, Evidence]], certainty: Certainty
) -> None:
    observations = [seen(code, evidence, 3) for code, evidence in causes]
    findings = triage([*observations, seen(Code.CHANGED_BY_SERDES, Evidence.LINT, 2)])
    (serdes,) = (finding for finding in findings if finding.code is Code.CHANGED_BY_SERDES)
    assert serdes.certainty is certainty


# -- reports ---------------------------------------------------------------------------------------


def test_a_difference_between_two_equal_runs_leaves_a_handler_unverified() -> None:
    report = Report("a", control=["the module counts its runs"])
    assert report.verdict == "not verified"
    assert report.reasons == ["two equal runs differ: the module counts its runs"]


def test_an_experiment_that_is_off_does_not_count() -> None:
    off = ExperimentResult(state=ExperimentState.OFF, reason="not asked for")
    assert Report("a", {"cold": off}).verdict == "survives"


@pytest.mark.prove
def test_the_fixture_fails_a_test_whose_handler_fails_unexpectedly(durable: Durable) -> None:
    with pytest.raises(pytest.fail.Exception, match="the run ended with FAILED, RuntimeError"):
        durable.verify(Scenario(handler=handlers.failing), only=[ExperimentName.REFERENCE_RUN])
    expected = Scenario(handler=handlers.failing, expects="RuntimeError")
    assert durable.verify(expected).verdict == "survives"


def test_two_long_values_are_shown_where_they_differ() -> None:
    one, other = contrast(f'"{"a" * 500}b"', f'"{"a" * 500}c"')
    assert one != other
    assert "b" in one
    assert max(len(one), len(other)) < 100
    assert contrast('"bill"', '"will"') == ('"bill"', '"will"')


def test_an_ending_names_the_short_type_of_its_error() -> None:
    ending = Ending("FAILED", "aws.exceptions.StepError", "no", is_expected=False)
    assert str(ending) == "FAILED, StepError: no"


def test_a_missing_variable_says_nothing_of_the_code_that_is_checked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TABLE_THAT_IS_NOT_SET", "orders")
    saved = str(folder / "recording.json")
    dacapo("run", "endings.py:no_variable", "--save", saved, cwd=folder)
    monkeypatch.delenv("A_TABLE_THAT_IS_NOT_SET")
    done = dacapo("check", saved, "endings.py:no_variable", cwd=folder, columns=120)
    assert done.returncode == 3, done.stdout
    line = line_of("no_variable")
    assert f"KeyError: 'A_TABLE_THAT_IS_NOT_SET' (endings.py:{line})" in done.stdout
    assert "is not verified by 1 of 1 history" in done.stdout
    assert os.path.relpath(saved, folder) in done.stdout


@pytest.mark.parametrize("command", ["run", "verify"])
def test_a_handler_that_had_to_be_stopped_is_not_verified_and_the_json_says_so(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get_stuck(*_: object, **__: object) -> None:
        raise HandlerStuck("it spins", Place("spins.py", 5))

    monkeypatch.setattr("dacapo.run", get_stuck)
    monkeypatch.setattr(import_module("dacapo.verify.verifier"), "verify", get_stuck)
    done = dacapo(command, "endings.py:expected", "--format", "json", cwd=folder)
    printed = json.loads(done.stdout)
    assert (done.returncode, printed["exit_status"]) == (3, 3)
    (reason,) = printed["reasons"]
    why = "it spins, at spins.py:5: end the loop, or sleep in it"
    assert reason == f"the run did not end: {why}; expected: LookupError"
    assert printed["error"]["type"] == "HandlerStuck"
