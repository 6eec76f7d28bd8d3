"""`make copy` takes a pattern away, whole: with all that it needs, and with nothing of the lab."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import copying
from tools.copying import CannotCopy

ROOT = Path(__file__).parents[2]
PATTERNS = copying.patterns()
FOREIGN = ("_dacapo_pytest", "baselines", "compare", "dacapo", "gotchas", "scenarios", "tests")
RUN = f"""
import sys, pytest
status = pytest.main(["-q", "-p", "no:dacapo", "-p", "no:cacheprovider"])
assert "patterns" in sys.modules
foreign = sorted(set(name.partition(".")[0] for name in sys.modules) & set({FOREIGN!r}))
sys.exit(status or f"imported: {{foreign}}" if foreign else status)
"""


@pytest.fixture(scope="module", params=PATTERNS)
def pattern(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(pattern: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a pattern."""
    folder = tmp_path_factory.mktemp("copy") / "my-app"
    copying.copy(pattern, folder)
    return folder


def run(folder: Path, *command: str, path: str = "") -> str:
    """Run a command in a copy, without this project's variables; return what it prints."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHON"))}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tree(root: Path, files: dict[str, str]) -> Path:
    """Make a small project with a pattern `a`, and these files in its folder of patterns."""
    (root / "src/patterns/a").mkdir(parents=True)
    (root / "src/requirements.txt").write_text("# why\nboto3==1.0\ntzdata==2026.1\n")
    for name, text in {"__init__.py": "", "a/__init__.py": "", **files}.items():
        path = root / "src/patterns" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def copied(root: Path, pattern: str) -> set[str]:
    return {str(p.relative_to(root / "src")) for p in copying.modules_of(pattern, root)}


def test_there_are_nine_patterns() -> None:
    assert len(PATTERNS) == 9
    assert {path.name for path in (ROOT / "tests/plain").glob("test_*.py")} == {
        f"test_{pattern}.py" for pattern in PATTERNS
    }


def test_a_copy_has_every_module_that_it_imports_and_mentions_nothing_of_the_lab(
    folder: Path,
) -> None:
    files = [path for path in folder.rglob("*") if path.suffix == ".py"]
    assert files
    for file in files:
        text = file.read_text()
        for name in re.findall(r"^\s*(?:from|import) (patterns[\w.]*)", text, re.MULTILINE):
            path = folder.joinpath("src", *name.split("."))
            assert path.is_dir() or path.with_suffix(".py").exists(), f"{file}: {name}"
        assert re.search(rf"^\s*(?:from|import) (?:{'|'.join(FOREIGN)})\b", text, re.M) is None


def test_a_copy_has_nothing_but_the_pattern_and_its_test(folder: Path, pattern: str) -> None:
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    outside = {name for name in names if not name.startswith("src/patterns/")}
    assert outside == {
        ".gitignore",
        "constraints.txt",
        "pytest.ini",
        "requirements-test.txt",
        "src/requirements.txt",
        "tests/plain/conftest.py",
        f"tests/plain/test_{pattern}.py",
    }
    others = {f"src/patterns/{other}/handler.py" for other in PATTERNS if other != pattern}
    assert not others & names


def test_a_copy_has_the_whole_folder_of_the_pattern(folder: Path, pattern: str) -> None:
    own = ROOT / "src/patterns" / pattern
    files = [p for p in own.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    for file in files:
        copy = folder / file.relative_to(ROOT)
        assert copy.read_bytes() == file.read_bytes()
    assert len(files) > 1


def test_the_requirements_of_a_copy_are_those_deployed_here(folder: Path) -> None:
    ours = (ROOT / "src/requirements.txt").read_text().splitlines()
    theirs = (folder / "src/requirements.txt").read_text().splitlines()
    assert set(theirs) <= set(ours)
    assert {"aws-durable-execution-sdk-python", "boto3"} <= {line.split("==")[0] for line in theirs}


def test_only_the_schedule_needs_time_zones_and_only_the_webhook_an_http_client() -> None:
    needing = {
        name: {p for p in PATTERNS if name in copying.requirements_of(p)}
        for name in ("tzdata", "urllib3")
    }
    assert needing == {"tzdata": {"schedule"}, "urllib3": {"webhook_callback"}}


def test_imports_are_followed_through_packages_functions_and_relative_names(tmp_path: Path) -> None:
    handler = "import patterns.b.c\n\ndef f():\n    from patterns import d\n"
    files = {
        "a/handler.py": handler,
        "b/__init__.py": "from .e import x",
        "b/c.py": "",
        "b/e.py": "x = 1",
        "b/unused.py": "",
        "d.py": "import json",
        "unused.py": "",
    }
    needed = {"__init__.py", "a/__init__.py", *files} - {"b/unused.py", "unused.py"}
    assert copied(tree(tmp_path, files), "a") == {f"patterns/{name}" for name in needed}


def test_a_template_brings_the_handlers_that_it_names_and_the_templates_nested_in_it(
    tmp_path: Path,
) -> None:
    files = {
        "a/handler.py": "",
        "a/template.yaml": "Handler: patterns.sweep.handler\nLocation: ../b/template.yaml\n",
        "b/template.yaml": "    Handler: patterns.b.count.handler\n",
        "b/count.py": "from patterns import rows",
        "sweep.py": "",
        "rows.py": "",
    }
    root = tree(tmp_path, files)
    assert {"patterns/sweep.py", "patterns/b/count.py", "patterns/rows.py"} <= copied(root, "a")
    assert Path("src/patterns/b/template.yaml") in copying.files_of("a", root)


def test_data_beside_a_shared_module_is_copied_but_not_another_patterns_papers(
    tmp_path: Path,
) -> None:
    data = ("places.json", "README.md", "event.json", "template.yaml")
    files = {"a/handler.py": "from patterns.b import c", "b/c.py": ""}
    root = tree(tmp_path, files | {f"b/{name}": "" for name in data})
    names = {path.name for path in copying.files_of("a", root)}
    assert "places.json" in names
    assert not copying.DESCRIPTIONS & names


def test_an_import_without_a_requirement_is_refused(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a/handler.py": "import boto3, zoneinfo, json\n"})
    assert copying.requirements_of("a", root) == "# why\nboto3==1.0\ntzdata==2026.1\n"
    (root / "src/patterns/a/handler.py").write_text("import numpy\n")
    with pytest.raises(CannotCopy, match=r"src/patterns/a/handler\.py imports numpy"):
        copying.requirements_of("a", root)


@pytest.mark.parametrize("name", ["", "approvals", "callbacks", "../patterns"])
def test_an_unknown_pattern_is_refused_with_the_names_of_all(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert copying.main([name, str(tmp_path / "new")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"choose PATTERN from {', '.join(PATTERNS)}")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_destination_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert copying.main(["polling", ""]) == 2
    assert capsys.readouterr().err == "TO is missing: name a new folder, as in TO=../my-app\n"


@pytest.mark.parametrize("is_folder", [True, False])
def test_nothing_is_overwritten(
    is_folder: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "app"
    (to if is_folder else tmp_path).mkdir(exist_ok=True)
    file = to / "mine.txt" if is_folder else to
    file.write_text("mine")
    assert copying.main(["polling", str(to)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"{to} exists and is not an empty folder: choose a new one"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["PATTERN=x", "TO=app"], " ".join(PATTERNS)),
        (["PATTERN=polling"], "TO is missing"),
        (["TO=app"], "PATTERN is missing"),
    ],
)
def test_make_refuses_a_mistake_with_status_2_and_without_a_virtual_environment(
    arguments: list[str], problem: str
) -> None:
    make = ["make", "--no-print-directory", "copy", f"PYTHON={sys.executable}", *arguments]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert problem in done.stderr.splitlines()[0]
    assert "venv" not in done.stdout


@pytest.mark.prove
def test_the_test_of_a_copy_passes_with_the_copy_alone_on_the_path(folder: Path) -> None:
    printed = run(folder, sys.executable, "-c", RUN, path=str(folder / "src"))
    assert re.search(r"\b[1-9]\d* passed", printed)
    assert "skipped" not in printed


@pytest.mark.prove
def test_every_module_of_a_copy_can_be_imported_and_comes_from_the_copy(folder: Path) -> None:
    source = folder / "src"
    names = [
        ".".join(path.relative_to(source).with_suffix("").parts) for path in source.rglob("*.py")
    ]
    code = (
        "import importlib, os\n"
        "os.environ['AWS_DEFAULT_REGION'] = 'us-east-1'\n"
        f"for name in {names!r}: print(importlib.import_module(name).__file__)\n"
    )
    printed = run(folder, sys.executable, "-c", code, path=str(source)).splitlines()
    assert len(printed) == len(names)
    assert all(line.startswith(str(source)) for line in printed)


@pytest.mark.prove
def test_a_copy_is_green_in_an_environment_of_its_own(tmp_path: Path) -> None:
    call = (f"PYTHON={sys.executable}", "PATTERN=webhook_callback", f"TO={tmp_path / 'app'}")
    printed = run(ROOT, "make", "copy", *call)
    assert re.search(r"\b[1-9]\d* passed", printed)
    python = tmp_path / "app/.venv/bin/python"
    listed = run(tmp_path, str(python), "-m", "pip", "list", "--format=freeze").lower()
    assert "dacapo" not in listed
    assert "aws-durable-execution-sdk-python-testing==" in listed
    for line in printed.partition("Next")[2].splitlines():
        for name in re.findall(r"(?:src/\S+|\.venv/bin/pytest)", line):
            assert (tmp_path / "app" / name.rstrip(":")).exists(), name
