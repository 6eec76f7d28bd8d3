"""The control: what already two equal runs differ in is said, and not blamed on the handler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from dacapo.testing.fixture import Durable
from dacapo.verify.findings import ExperimentName, Report
from dacapo.verify.verifier import verify
from tests.verify.quick import QUICK

A_DAY = Duration.from_days(1)

order_numbers = count(1)
sent: list[str] = []


@durable_execution
def numbers_orders(_: Any, context: DurableContext) -> str:
    number = context.step(lambda _: next(order_numbers), name="number the order")
    context.wait(A_DAY, name="a day")
    return f"order {number}"


@durable_execution
def greets_the_first(_: Any, context: DurableContext) -> str:
    number = context.step(lambda _: next(order_numbers), name="number the order")
    context.wait(A_DAY, name="a day")
    if number == 1:
        context.step(lambda _: True, name="greet the first customer")
    return "done"


@durable_execution
def pays_once(_: Any, context: DurableContext) -> str:
    """Pay unless the partner has been paid already, of which the partner keeps a list."""

    def pay(_: Any) -> bool:
        is_new = "invoice" not in sent
        sent.append("invoice")
        return is_new

    is_new = context.step(pay, name="pay")
    context.wait(A_DAY, name="a day")
    if is_new:
        context.step(lambda _: True, name="file the receipt")
    return "paid"


def draw() -> str:
    """Return what no seed of the simulation decides."""
    with Path("/dev/urandom").open("rb") as file:
        return file.read(8).hex()


def line_of(name: str) -> int:
    lines = Path(__file__).read_text().splitlines()
    return next(n for n, line in enumerate(lines, 1) if line.startswith((f"{name} =", f"{name}:")))


def assert_not_blamed(report: Report) -> None:
    assert report.proved == []
    assert report.verdict == "not verified"
    assert report.reasons[0] == f"two equal runs differ: {report.control[0]}"


@pytest.mark.parametrize(
    ("handler", "name"), [(greets_the_first, "order_numbers"), (pays_once, "sent")]
)
def test_module_memory_that_leaks_between_runs_is_named_with_its_line_and_nobody_is_blamed(
    handler: Any, name: str
) -> None:
    report = verify(Scenario(handler=handler), only=QUICK)
    assert report.experiments[ExperimentName.CRASHED].runs
    assert_not_blamed(report)
    (why,) = report.control
    assert why.startswith("one after the other in one process")
    assert f"{name} ({__file__ and Path(__file__).relative_to(Path.cwd())}:{line_of(name)})" in why
    assert why.endswith("reset it in the scenario's world")


@contextmanager
def reset() -> Iterator[None]:
    global order_numbers  # noqa: PLW0603 - as the modules of handlers are written
    order_numbers = count(1)
    sent.clear()
    yield


@pytest.mark.prove
def test_a_counter_that_only_shows_in_results_is_not_blamed() -> None:
    report = verify(Scenario(handler=numbers_orders), only=QUICK)
    assert report.experiments[ExperimentName.CRASHED].runs
    assert (report.control, report.findings) == ([], [])


@pytest.mark.parametrize("handler", [greets_the_first, pays_once])
def test_a_world_that_resets_what_leaks_has_a_control_without_a_difference(handler: Any) -> None:
    report = verify(Scenario(handler=handler, world=reset), only=QUICK)
    assert report.control == []
    assert {one.state for one in report.experiments.values() if one.runs} == {"made"}


@contextmanager
def ledger_on_disk(path: Path) -> Iterator[Path]:
    """Context manager with a file that other runs find as this one leaves it."""
    yield path


def scenario_with_a_file(path: Path) -> Scenario:
    @durable_execution
    def counts_lines(_: Any, context: DurableContext) -> int:
        def add(_: Any) -> int:
            with path.open("a") as file:
                file.write("line\n")
            return len(path.read_text().splitlines())

        lines = context.step(add, name="add a line")
        context.wait(A_DAY, name="a day")
        return int(lines)

    return Scenario(handler=counts_lines, world=partial(ledger_on_disk, path))


def test_a_world_that_keeps_a_file_is_said_to_and_the_handler_is_not_blamed(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text("")
    report = verify(scenario_with_a_file(path), only=QUICK)
    assert_not_blamed(report)
    assert report.control[0].startswith("each in a process of its own, one ends with SUCCEEDED, 1")
    assert "the world keeps something outside the process" in report.control[0]


@pytest.mark.prove
def test_a_handler_that_is_random_differs_in_its_control() -> None:
    @durable_execution
    def draws_from_the_system(_: Any, context: DurableContext) -> str:
        lucky = context.step(lambda _: draw(), name="draw")
        context.wait(A_DAY, name="a day")
        return f"{lucky}"

    report = verify(Scenario(handler=draws_from_the_system), only=QUICK)
    assert report.proved == []
    assert report.control[0].startswith("each in a process of its own, one ends with SUCCEEDED, ")
    assert "The handler or the world is random" in report.control[0]


def test_the_fixture_fails_a_test_whose_control_differs(durable: Durable) -> None:
    with pytest.raises(pytest.fail.Exception, match="two equal runs differ: one after the other"):
        durable.verify(Scenario(handler=pays_once), only=[ExperimentName.REPLAYED])
