"""Runs suites of tests for the official runner in new processes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests import command_line

ROOT = Path(__file__).parents[2]
RECORDER = ("-p", "tests.testing.recorder")
SECONDS = 240


def run(
    folder: Path, *options: str, hash_seed: str = "0", results: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder, with this project installed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {
        **own,
        "PYTHONPATH": os.pathsep.join(command_line.PATH),
        "PYTHONHASHSEED": hash_seed,
        "RESULTS": str(results),
    }
    return command_line.run_pytest(*options, cwd=folder, environment=environment, seconds=SECONDS)


def recorded(path: Path, *options: str, hash_seed: str = "0") -> dict[str, Any]:
    """Run tests of this project's `tests/plain`, and return what their executions came to."""
    options = (*RECORDER, "--confcutdir", "tests/plain", *options)
    done = run(ROOT, *options, hash_seed=hash_seed, results=path)
    assert done.returncode == 0, done.stdout + done.stderr
    results: dict[str, Any] = json.loads(path.read_text())
    assert results, "no test waited for a result"
    return results


def write(folder: Path, **files: str) -> None:
    """Write files, each indented by four spaces."""
    for name, text in files.items():
        lines = text.splitlines()
        (folder / f"{name}.py").write_text("\n".join(line[4:] for line in lines) + "\n")
