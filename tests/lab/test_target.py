"""Targets and answers on the command line: what they lead to, and one line for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import assert_usage_error, dacapo, fresh_dacapo

HANDLER = """
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from dacapo import Scenario
from {neighbor} import RULE

@durable_execution
def handler(event, context: DurableContext):
    return context.step(lambda _: RULE, name="apply the rule")

usual = Scenario(handler=handler)
"""
ORDERS = ("run", "tests.lab.handlers:waited_for_callback")


def function_in(folder: Path, neighbor: str = "rules", file: str = "app.py") -> Path:
    """Write a function and its neighbor module into a plain folder, as SAM lays it out."""
    folder.mkdir(parents=True)
    (folder / f"{neighbor}.py").write_text('RULE = "the neighbor"\n')
    (folder / file).write_text(HANDLER.format(neighbor=neighbor))
    return folder / file


@pytest.mark.prove
def test_the_folder_of_the_file_is_importable_as_in_lambda(tmp_path: Path) -> None:
    function_in(tmp_path / "functions/order")
    done = fresh_dacapo("run", "functions/order/app.py:handler", cwd=tmp_path)
    assert "the neighbor" in done.stdout, done.stderr


@pytest.mark.prove
def test_the_handler_of_a_plain_folder_is_found_by_other_processes(tmp_path: Path) -> None:
    function_in(tmp_path / "functions/order")
    done = fresh_dacapo("verify", "functions/order/app.py:handler", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "not run" not in done.stdout.partition("cold")[2].splitlines()[0]


@pytest.mark.prove
def test_a_neighbor_hides_no_module_of_the_standard_library(tmp_path: Path) -> None:
    folder = tmp_path / "functions/mail"
    function_in(folder)
    (folder / "email.py").write_text("raise RuntimeError('the standard library is hidden')\n")
    (folder / "dacapo.py").write_text("raise RuntimeError('dacapo is hidden')\n")
    done = fresh_dacapo("run", "functions/mail/app.py:handler", cwd=tmp_path)
    assert "the neighbor" in done.stdout, done.stderr


@pytest.mark.prove
def test_a_file_named_like_a_module_of_the_standard_library_is_loaded(tmp_path: Path) -> None:
    function_in(tmp_path / "functions/queue", file="queue.py")
    done = fresh_dacapo("run", "functions/queue/queue.py:usual", cwd=tmp_path)
    assert "the neighbor" in done.stdout, done.stderr


@pytest.mark.prove
def test_a_file_without_a_name_lists_its_handlers_and_scenarios(tmp_path: Path) -> None:
    function_in(tmp_path / "order")
    done = fresh_dacapo("run", "order/app.py", cwd=tmp_path)
    assert_usage_error(done, "it has: order/app.py:handler, order/app.py:usual")
    assert "durable_execution" not in done.stderr


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (".", ". is a directory: give FILE.py:SCENARIO"),
        ("scenarios", "scenarios is a directory"),
        ("scenarios:finishes", "scenarios is a directory"),
        (r"C:\functions\app.py:handler", "there is no file C:\\functions\\app.py (on this system"),
        ("C:/functions/app.py", "there is no file C:/functions/app.py"),
        ("", "names no target"),
    ],
)
def test_what_is_not_a_target_is_named_in_one_line(target: str, message: str) -> None:
    assert_usage_error(dacapo("run", target), message)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("approval=1@2w", "'2w' is not a time after the callback: it needs a number and s, m, h"),
        ("approval=1@-2d", "'-2d' is not a time after the callback: it is in the past"),
        ("approval=1@", "'' is not a time"),
        ("approval=yes@2d", "'yes' is not JSON"),
        ('approval={"by": 1@2d', "is not JSON"),
    ],
)
def test_a_wrong_answer_says_whether_its_value_or_its_time_is_wrong(
    answer: str, message: str
) -> None:
    assert_usage_error(dacapo(*ORDERS, "--answer", answer), message)


@pytest.mark.parametrize(
    ("option", "value"), [("--answer", 'approval="a@b"'), ("--fail", "approval=mail a@example.com")]
)
def test_an_at_sign_inside_a_value_is_not_a_time(option: str, value: str) -> None:
    assert "is not a time" not in dacapo(*ORDERS, option, value).stderr
