"""Runs the command line inside tests."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NoReturn

import click

from dacapo.cli import main
from dacapo.simulation.elsewhere import interpreters
from gotchas.__main__ import main as show_gotcha

REPOSITORY = Path(__file__).parents[1]
PATH = [str(REPOSITORY), str(REPOSITORY / "lab"), str(REPOSITORY / "src")]


def dacapo(
    *arguments: str, cwd: Path = REPOSITORY, columns: int = 80
) -> subprocess.CompletedProcess[str]:
    """Run `dacapo` in a forked process, which does not have to import everything again."""
    if "verify" in arguments and not {"--only", "--skip"}.intersection(arguments):
        interpreters.start(
            interpreters.FEW_HASH_SEEDS
        )  # here, where the next test finds them again
    return _forked(main, arguments, cwd, columns)


def gotchas(*arguments: str, columns: int = 80) -> subprocess.CompletedProcess[str]:
    """Run `python -m gotchas` in a forked process."""
    return _forked(show_gotcha, arguments, REPOSITORY, columns)


def _forked(
    program: click.Command, arguments: Sequence[str], cwd: Path, columns: int
) -> subprocess.CompletedProcess[str]:
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        child = os.fork()
        if child == 0:
            _run_and_exit(program, arguments, cwd, columns, out, err)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        code = os.waitstatus_to_exitcode(status)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


def fresh_dacapo(*arguments: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """Run `dacapo` in a new process, with nothing imported and nothing set up."""
    command = [sys.executable, "-m", "dacapo", *arguments]
    environment = {"PATH": "", "COLUMNS": "80", "PYTHONPATH": os.pathsep.join(PATH)}
    return run_process(command, cwd=cwd, environment=environment)


def run_pytest(
    *arguments: str, cwd: Path, environment: Mapping[str, str], seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run pytest in a new process, in a folder of its own."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return run_process(command, cwd=cwd, environment=environment, seconds=seconds)


def run_shell(
    command: str, *, cwd: Path, environment: Mapping[str, str], seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run the commands of a page, with the programs of this environment, until one fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {**environment, "PATH": path}
    return run_process(["bash", "-euc", command], cwd=cwd, environment=own, seconds=seconds)


def run_process(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, for so many seconds at most, and keep what it prints."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def _run_and_exit(
    program: click.Command,
    arguments: Sequence[str],
    cwd: Path,
    columns: int,
    out: IO[str],
    err: IO[str],
) -> NoReturn:
    code = 1
    try:
        os.chdir(cwd)
        os.environ["COLUMNS"] = str(columns)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        program.main(arguments, prog_name=program.name)
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:  # noqa: BLE001 - as an interpreter does
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def assert_usage_error(result: subprocess.CompletedProcess[str], message: str) -> None:
    """Assert that a command exits with status 2, a one-line error on stderr and no other output."""
    assert result.returncode == 2
    assert result.stdout == ""
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert message in last
    assert "Traceback" not in result.stderr
