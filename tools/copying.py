"""Copy a pattern, with everything it needs, into a project of your own, and run its test there.

`make copy PATTERN=approval TO=../my-app`. The copy has the pattern's folder, the modules that it
imports, its test, and the pinned requirements of both: nothing of the lab. It keeps the paths of
this repository, so that imports and the template's CodeUri stay true. Needs nothing but Python.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

ROOT = Path(__file__).parents[1]
OLDEST_PYTHON = (3, 11)
PACKAGE = "patterns"
TESTS = Path("tests/plain")
DESCRIPTIONS = frozenset({"README.md", "event.json", "start.json", "template.yaml"})
"""Files about one pattern; a pattern that imports another one's modules doesn't need them."""
DISTRIBUTIONS = {
    "aws_durable_execution_sdk_python": "aws-durable-execution-sdk-python",
    "aws_lambda_powertools": "aws-lambda-powertools",
    "boto3": "boto3",
    "botocore": "boto3",
    "pydantic": "aws-lambda-powertools",  # through its extra, parser
    "urllib3": "urllib3",
    "zoneinfo": "tzdata",  # Lambda has no time zones of its own
}
"""The line of src/requirements.txt that an import needs. Other imports: the standard library."""
TEST_REQUIREMENTS = ("aws-durable-execution-sdk-python-testing", "moto[dynamodb,s3]", "pytest")

_HANDLER = re.compile(r"^\s*Handler: (\S+)\.\w+$", re.MULTILINE)
_LOCATION = re.compile(r"^\s*Location: (\S+\.yaml)$", re.MULTILINE)
_PYTEST_INI = """\
[pytest]
pythonpath = src
testpaths = tests
addopts = -ra --strict-markers
filterwarnings =
    # botocore and moto call utcnow(), which Python 3.12 deprecates.
    ignore:datetime.datetime.utcnow:DeprecationWarning
    # The official runner leaves its event loop to the garbage collector.
    ignore:unclosed (event loop|<socket):ResourceWarning
"""
_GITIGNORE = ".venv/\n.aws-sam/\n.pytest_cache/\n__pycache__/\n"


class CannotCopy(Exception):  # noqa: N818 - says what it is
    """The pattern can't be copied; the message says why, and nothing was written."""


def patterns(root: Path = ROOT) -> list[str]:
    """Return the names of the patterns, sorted: the folders with a handler."""
    return sorted(path.parent.name for path in (root / "src" / PACKAGE).glob("*/handler.py"))


def check(pattern: str, to: str, root: Path = ROOT) -> None:
    """Check what the caller asks for.

    Raises:
        CannotCopy: there is no such pattern, or the folder is missing or not empty.
    """
    if pattern not in patterns(root):
        problem = f"there is no pattern {pattern!r}" if pattern else "PATTERN is missing"
        raise CannotCopy(f"{problem}: choose PATTERN from {', '.join(patterns(root))}")
    if not to:
        raise CannotCopy("TO is missing: name a new folder, as in TO=../my-app")
    folder = Path(to)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise CannotCopy(f"{to} exists and is not an empty folder: choose a new one")


def modules_of(pattern: str, root: Path = ROOT) -> set[Path]:
    """Return the Python files that a pattern needs: its own, and what they import, transitively.

    The handlers that its templates name count as its own, wherever they are.
    """
    source = root / "src"
    names = {f"{PACKAGE}.{pattern}"}
    names.update(*(_HANDLER.findall(path.read_text()) for path in templates_of(pattern, root)))
    own = set((source / PACKAGE / pattern).rglob("*.py"))
    pending = own.union(*(_files(name, source) for name in names))
    modules: set[Path] = set()
    while pending:
        path = pending.pop()
        modules.add(path)
        for name in imports(path, source):
            pending |= _files(name, source) - modules
    return modules


def templates_of(pattern: str, root: Path = ROOT) -> set[Path]:
    """Return a pattern's template, if it has one, and the local templates nested in it."""
    pending = {root / "src" / PACKAGE / pattern / "template.yaml"}
    templates: set[Path] = set()
    while pending:
        path = pending.pop()
        if path.exists() and path not in templates:
            templates.add(path)
            nested = _LOCATION.findall(path.read_text())
            pending |= {(path.parent / location).resolve() for location in nested}
    return templates


def imports(path: Path, source: Path) -> Iterator[str]:
    """Yield the absolute name of everything that a file imports, inside functions as well.

    Parameters:
        source: the folder that imports start from.
    """
    package = ".".join(path.relative_to(source).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            # What is imported from a package may be a module.
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def files_of(pattern: str, root: Path = ROOT) -> list[Path]:
    """Return the files to copy as they are, relative to the root, sorted."""
    own = root / "src" / PACKAGE / pattern
    modules = modules_of(pattern, root)
    shared = {module.parent for module in modules if not module.is_relative_to(own)}
    data = {path for folder in shared for path in folder.iterdir() if _is_data(path)}
    tests = {root / TESTS / "conftest.py", root / TESTS / f"test_{pattern}.py"}
    folder = {path for path in own.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    files = modules | folder | data | tests | templates_of(pattern, root)
    return sorted(path.relative_to(root) for path in files)


def requirements_of(pattern: str, root: Path = ROOT) -> str:
    """Return src/requirements.txt, reduced to what a pattern imports.

    Raises:
        CannotCopy: an import belongs to no line of it.
    """
    needed = set()
    for path in sorted(modules_of(pattern, root)):
        for name in imports(path, root / "src"):
            top = name.partition(".")[0]
            if top in DISTRIBUTIONS:
                needed.add(DISTRIBUTIONS[top])
            elif top != PACKAGE and top not in sys.stdlib_module_names:
                raise CannotCopy(f"{path.relative_to(root)} imports {top}: which requirement?")
    lines = (root / "src/requirements.txt").read_text().splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith("#") or _name(line) in needed)


def copy(pattern: str, to: Path, root: Path = ROOT) -> None:
    """Copy a pattern into a new or empty folder.

    Raises:
        CannotCopy: see `check` and `requirements_of`.
    """
    check(pattern, str(to), root)
    requirements, files = requirements_of(pattern, root), files_of(pattern, root)
    for file in files:
        (to / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, to / file)
    shutil.copyfile(root / "constraints.txt", to / "constraints.txt")
    (to / "src/requirements.txt").write_text(requirements)
    (to / "requirements-test.txt").write_text(_test_requirements(root))
    (to / "pytest.ini").write_text(_PYTEST_INI)
    (to / ".gitignore").write_text(_GITIGNORE)


def install(to: Path) -> Path:
    """Create a virtual environment in a copy, with uv if it is installed; return its Python.

    Raises:
        CalledProcessError: a command failed; it has printed why.
    """
    python = to / ".venv/bin/python"
    requirements = ("-r", "requirements-test.txt", "-c", "constraints.txt")
    if shutil.which("uv"):
        _run("uv", "venv", "--quiet", "--python", sys.executable, ".venv", cwd=to)
        _run("uv", "pip", "install", "--quiet", "--python", str(python), *requirements, cwd=to)
    else:
        _run(sys.executable, "-m", "venv", ".venv", cwd=to)
        pip = (str(python), "-m", "pip", "--quiet", "--disable-pip-version-check")
        # Most of botocore and moto is never imported: compiling it takes longer than it saves.
        _run(*pip, "install", "--no-compile", *requirements, cwd=to)
    return python


def main(arguments: list[str]) -> int:
    """Copy a pattern, run its test in an environment of its own, and print what to do next.

    Parameters:
        arguments: the pattern, and the folder to copy it to.

    Returns:
        0 if the test passes, 1 if it fails or can't be installed, 2 for a mistake in the call.
    """
    pattern, to = (argument.strip() for argument in arguments)
    folder = Path(to).expanduser().absolute()
    try:
        if sys.version_info < OLDEST_PYTHON:
            raise CannotCopy("this Python is older than 3.11: make copy PYTHON=python3.13 …")
        check(pattern, to and str(folder))
        copy(pattern, folder)
    except (CannotCopy, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"copied {pattern} to {to}; installing what its test needs into {to}/.venv ...")
    sys.stdout.flush()
    try:
        _run(str(install(folder)), "-m", "pytest", "-q", cwd=folder)
    except subprocess.CalledProcessError as error:
        print(f"the copy is there, but this failed: {' '.join(error.cmd)}", file=sys.stderr)
        return 1
    print(_next_steps(pattern, to))
    return 0


def _next_steps(pattern: str, to: str) -> str:
    folder = f"src/{PACKAGE}/{pattern}"
    return (
        f"Next, in {to}:\n"
        f"  read    {folder}/README.md: what to change first\n"
        "  test    .venv/bin/pytest\n"
        f"  deploy  sam build -t {folder}/template.yaml\n"
        "          sam deploy --guided --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND"
    )


def _files(name: str, source: Path) -> set[Path]:
    """Return the files that importing a name loads: its module, and the packages around it."""
    parts = name.split(".")
    paths = [source.joinpath(*parts[:length]) for length in range(1, len(parts) + 1)]
    candidates = [p for path in paths for p in (path.with_suffix(".py"), path / "__init__.py")]
    return {path for path in candidates if path.is_file()} if parts[0] == PACKAGE else set()


def _is_data(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".py", ".pyc") and path.name not in DESCRIPTIONS


def _name(requirement: str) -> str:
    return re.split(r"[\[=]", requirement.strip())[0]


def _test_requirements(root: Path) -> str:
    lines = (root / "constraints.txt").read_text().splitlines()
    versions = {_name(line): line.partition("==")[2] for line in lines}
    pinned = [f"{name}=={versions[_name(name)]}" for name in TEST_REQUIREMENTS]
    return "\n".join(["# For the tests: AWS's own runner.", "-r src/requirements.txt", *pinned, ""])


def _run(*command: str, cwd: Path) -> None:
    # Without this project on the path, and without credentials.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHON"))}
    subprocess.run(command, cwd=cwd, env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
