"""The command line as tests run it."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NoReturn

from dacapo.cli import main

REPOSITORY = Path(__file__).parents[1]


def dacapo(
    *arguments: str, cwd: Path = REPOSITORY, columns: int = 80
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process that is forked: it need not import everything again."""
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        child = os.fork()
        if child == 0:
            _be_dacapo(arguments, cwd, columns, out, err)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        code = os.waitstatus_to_exitcode(status)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


def fresh_dacapo(*arguments: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own, with nothing imported and nothing set up."""
    command = [sys.executable, "-m", "dacapo", *arguments]
    environment = {"PATH": "", "COLUMNS": "80", "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def _be_dacapo(
    arguments: Sequence[str], cwd: Path, columns: int, out: IO[str], err: IO[str]
) -> NoReturn:
    code = 1
    try:
        os.chdir(cwd)
        os.environ["COLUMNS"] = str(columns)
        sys.stdout, sys.stderr = out, err
        main(arguments, prog_name="dacapo")
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:  # noqa: BLE001 - what a process does
        traceback.print_exc()
    finally:
        out.flush()
        err.flush()
        os._exit(code)


def assert_mistake(done: subprocess.CompletedProcess[str], message: str) -> None:
    """Exit status 2, one line on stderr that says what is wrong, and nothing else."""
    assert done.returncode == 2
    assert done.stdout == ""
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert message in last
    assert "Traceback" not in done.stderr
