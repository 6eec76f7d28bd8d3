"""A signal, or a reader that leaves, ends a command in order: nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command_line import PATH

SPINS = """
import os, subprocess, time
from pathlib import Path
from aws_durable_execution_sdk_python import durable_execution

@durable_execution
def handler(event, context):
    child = subprocess.Popen(["sleep", "100"])
    draft = Path(event, f".{os.getpid()}")
    draft.write_text(f"{os.getpid()} {child.pid}")
    draft.rename(Path(event, "pids"))
    while True:
        pass
"""
LONGEST_SECONDS = 120


def started(tmp_path: Path, *command: str) -> tuple[subprocess.Popen[str], list[int]]:
    """Start a command on a handler that spins, and wait until it does."""
    (tmp_path / "spins.py").write_text(SPINS)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "notes").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "dacapo", *command, "spins.py:handler", "--event", '"notes"'],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(PATH), "TMPDIR": str(tmp_path / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pids = tmp_path / "notes" / "pids"
    deadline = time.monotonic() + LONGEST_SECONDS
    while not pids.exists() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process, [int(pid) for pid in pids.read_text().split()]


def is_running(pid: int) -> bool:
    """Return whether a process runs; one that ended and was not waited for does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_no_process_and_no_folder_behind(
    number: signal.Signals, tmp_path: Path
) -> None:
    process, pids = started(tmp_path, "verify")
    assert all(map(is_running, pids))
    process.send_signal(number)
    out, err = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode == 128 + number
    assert (out, "Traceback" in err) == ("", False)
    assert [pid for pid in pids if is_running(pid)] == []
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.prove
def test_a_signal_ends_a_run_whose_handler_spins(tmp_path: Path) -> None:
    process, (_, child) = started(tmp_path, "run")
    os.kill(child, signal.SIGKILL)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=LONGEST_SECONDS)
    assert (process.returncode, out, "Traceback" in err) == (143, "", False)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_reader_that_leaves_changes_neither_the_status_nor_stderr(form: str) -> None:
    command = f"{sys.executable} -m dacapo run scenarios/polling.py:finishes --format {form}"
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(PATH)},
        cwd=PATH[0],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, "")
