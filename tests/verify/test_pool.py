"""Works run in processes of their own, whose outcomes come in order and which leave nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dacapo.verify.findings import Code
from dacapo.verify.workers.pool import Beat, Stopped, run_each

REAL_WAIT = threading.Event().wait
PATIENCE = 2.0


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the pool make its folders where a test can look."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def children() -> set[int]:
    """Return the processes that this one has started and not waited for."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    return {int(line.split()[0]) for line in listed if " ps -o" not in line}


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_for(path: Path, number: int, _: Beat) -> int:
    """Return a number once a file is there."""
    while not path.exists():
        REAL_WAIT(0.01)
    return number


def touch(path: Path, number: int, _: Beat) -> int:
    path.touch()
    return number


@pytest.mark.parametrize("last", [1, 2, 3])
def test_outcomes_come_in_the_order_of_the_works_whatever_ends_first(
    last: int, tmp_path: Path
) -> None:
    """The first work waits for a later one."""
    door = tmp_path / "door"
    works = [partial(wait_for, door, 0)]
    works += [partial(touch if n == last else wait_for, door, n) for n in range(1, 4)]
    assert list(run_each(works, at_once=4)) == [0, 1, 2, 3]


def test_no_more_works_run_at_the_same_time_than_is_said(tmp_path: Path) -> None:
    def count(_: Beat) -> int:
        mine = tmp_path / f"run-{os.getpid()}"
        mine.touch()
        REAL_WAIT(0.05)
        running = len(list(tmp_path.glob("run-*")))
        mine.unlink()
        return running

    running = [outcome for outcome in run_each([count] * 6, at_once=2) if isinstance(outcome, int)]
    assert (len(running), max(running) <= 2) == (6, True)


def test_each_work_has_a_temporary_directory_of_its_own() -> None:
    def name(_: Beat) -> tuple[str, str]:
        Path(tempfile.gettempdir(), "mark").touch(exist_ok=False)
        return os.environ["TMPDIR"], tempfile.gettempdir()

    folders = list(run_each([name] * 3, at_once=2))
    assert len({*folders}) == 3
    assert all(not isinstance(pair, Stopped) and pair[0] == pair[1] for pair in folders)


def test_what_a_work_changes_is_not_seen_by_another_one() -> None:
    seen: list[int] = []

    def change(_: Beat) -> tuple[int, bool]:
        is_set = "DACAPO_TEST_OF_WORKS" in os.environ
        os.environ["DACAPO_TEST_OF_WORKS"] = "yes"
        seen.append(1)
        return len(seen), is_set

    assert list(run_each([change] * 3)) == [(1, False)] * 3
    assert (seen, "DACAPO_TEST_OF_WORKS" in os.environ) == ([], False)


@pytest.mark.prove
def test_a_work_that_is_silent_is_stopped_and_its_line_named() -> None:
    def spin(_: Beat) -> None:
        while True:
            pass

    (stopped,) = run_each([spin], patience=PATIENCE)
    assert isinstance(stopped, Stopped)
    assert (stopped.code, stopped.message) == (
        Code.STUCK,
        "nothing happens for 2 s: the handler was stopped",
    )
    assert stopped.place is not None
    assert stopped.place.file == __file__
    assert stopped.place.line - spin.__code__.co_firstlineno in {1, 2}


@pytest.mark.prove
def test_a_work_that_makes_progress_is_not_stopped() -> None:
    def work(beat: Beat) -> str:
        for _ in range(8):
            REAL_WAIT(0.25)
            beat()
        return "done"

    heard: list[int] = []
    outcomes = list(run_each([work], patience=1.5, on_progress=heard.append))
    assert (outcomes, len(heard) > 1) == (["done"], True)


def test_a_work_that_ends_its_process_has_an_outcome_and_the_others_have_theirs() -> None:
    def leave(_: Beat) -> None:
        os._exit(3)

    stopped, done = run_each([leave, lambda _: "done"])
    assert stopped == Stopped(Code.DIED, "the handler ends its process, with exit status 3")
    assert done == "done"


def test_an_error_of_a_work_is_raised_in_its_turn() -> None:
    def fail(_: Beat) -> None:
        raise LookupError("no such order")

    outcomes = run_each([lambda _: "first", fail], at_once=2)
    assert next(outcomes) == "first"
    with pytest.raises(LookupError, match="no such order"):
        next(outcomes)


def spawn_and(act: Callable[[], Any], path: Path, _: Beat) -> None:
    """Start a process that would outlive its parent, and do something."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (path / f"{child.pid}.pid").touch()
    act()


def spin_forever() -> None:
    while True:
        pass


ENDS: dict[str, Callable[[], Any]] = {
    "returns": lambda: None,
    "exits": lambda: os._exit(1),
    "is stopped": spin_forever,
}


def is_running_for_long(pid: int) -> bool:
    """Return whether a process goes on; one that was killed may take a moment to end."""
    for _ in range(200):
        if not is_running(pid):
            return False
        REAL_WAIT(0.05)
    return True


@pytest.mark.parametrize("how", ENDS)
def test_no_process_and_no_folder_is_left_however_a_work_ends(how: str, tmp_path: Path) -> None:
    before = children()
    notes = tmp_path / "notes"
    notes.mkdir()
    works: Sequence[Any] = [partial(spawn_and, ENDS[how], notes)] * 2
    list(run_each(works, at_once=2, patience=PATIENCE))
    pids = [int(path.stem) for path in notes.iterdir()]
    assert len(pids) == 2
    assert not any(map(is_running_for_long, pids))
    assert children() == before
    assert list(tmp_path.iterdir()) == [notes]


def test_a_caller_that_stops_listening_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    before = children()
    outcomes = run_each([lambda _: "first", lambda _: spin_forever()], at_once=2)
    assert next(outcomes) == "first"
    assert len(children() - before) == 1
    outcomes.close()  # type: ignore[attr-defined] # a generator
    assert children() == before
    assert list(tmp_path.iterdir()) == []
