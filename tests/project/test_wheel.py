"""The wheel, installed alone into an empty environment, is all that a user of the lab needs."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.command_line import run_process

pytestmark = pytest.mark.prove

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)^```$", README, re.S | re.M))
ORDER = ("--event", '{"order": 17}', "--answer", 'approval="yes"@2d')
TYPED = """
from datetime import timedelta
from dacapo import Durable, Recording, Report, Scenario, succeed
from orders import handler

def test_types(durable: Durable) -> None:
    scenario = Scenario(handler=handler, answers={"a": succeed(1, after=timedelta(days=1))})
    reveal_type(durable.run(scenario))
    reveal_type(durable.verify(scenario, interleavings=2))
    reveal_type(durable.run(scenario).operation("a").length)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, and install it with pytest and mypy into an environment of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    pins = ["--constraint", str(ROOT / "constraints.txt")]
    pip = ["-m", "pip", "--quiet", "--disable-pip-version-check"]
    run(sys.executable, *pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    run(sys.executable, "-m", "venv", str(folder / "venv"))
    own = folder / "venv/bin/python"
    run(str(own), *pip, "install", *pins, str(wheel), "pytest", "mypy")
    return own


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's folder with the files of the README."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(*command: str, cwd: Path = ROOT, status: int = 0) -> str:
    """Run a command without this project on its path, and return what it prints."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHON"))}
    done = run_process(command, cwd=cwd, environment=environment, seconds=300)
    assert done.returncode == status, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def dacapo(python: Path, project: Path, *arguments: str, status: int = 0) -> str:
    return run(str(python.with_name("dacapo")), *arguments, cwd=project, status=status)


def test_the_readmes_tests_pass(python: Path, project: Path) -> None:
    """Those of a scenario; the other one is for who has AWS's testing package."""
    assert "2 passed" in run(str(python), "-m", "pytest", "-q", "test_orders.py", cwd=project)


def test_a_handler_is_run_and_verified(python: Path, project: Path) -> None:
    assert "SUCCEEDED" in dacapo(python, project, "run", "orders.py:handler", *ORDER)
    assert "survives replay" in dacapo(python, project, "verify", "orders.py:handler", *ORDER)


def test_a_page_is_written_with_what_the_wheel_carries(python: Path, project: Path) -> None:
    dacapo(python, project, "run", "orders.py:handler", *ORDER, "--save", "17.json")
    arguments = ("show", "17.json", "--handler", "orders.py:handler", "--html", "17.html")
    assert "The page is in 17.html" in dacapo(python, project, *arguments)
    page = (project / "17.html").read_text(encoding="utf-8")
    assert "startTheatre();" in page
    assert "let it arrive" in page


def test_findings_are_explained(python: Path, project: Path) -> None:
    assert "Fixed" in dacapo(python, project, "explain", "clock-outside-step")
    assert "clock-outside-step" in dacapo(python, project, "explain")


def test_a_mistake_is_one_line(python: Path, project: Path) -> None:
    dacapo(python, project, "run", "orders.py:nothing", status=2)


def test_mypy_reveals_real_types(python: Path, project: Path) -> None:
    (project / "test_types.py").write_text(TYPED)
    printed = run(str(python), "-m", "mypy", "test_types.py", cwd=project)
    revealed = re.findall(r'Revealed type is "([\w.]+)"', printed)
    assert revealed == [
        "dacapo.history.recording.Recording",
        "dacapo.verify.findings.Report",
        "datetime.timedelta",
    ]


def test_a_run_of_other_tests_is_left_alone(python: Path, tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n\ndef test_other():\n    assert 'dacapo' not in sys.modules\n"
    )
    assert "1 passed" in run(str(python), "-m", "pytest", "-q", cwd=tmp_path)
