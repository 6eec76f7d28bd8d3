"""The README does what it says: its files are made, its commands run, its output compared."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.command_line import run_shell

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(
    r"(?:<!-- (?P<directive>\w+): (?P<argument>.*?) -->\n)?"
    r"```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
COLUMNS = 80
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Block:
    """A block of code, and what the comment above it says about it."""

    language: str
    text: str
    directive: str | None
    argument: str | None

    @property
    def exchanges(self) -> list[tuple[str, str]]:
        """The commands of a console block, each with what is expected to be printed."""
        parts = re.split(r"^\$ (.*)\n", self.text, flags=re.MULTILINE)[1:]
        return list(zip(parts[::2], parts[1::2], strict=True))


BLOCKS = [
    Block(match["language"], match["text"], match["directive"], match["argument"])
    for match in BLOCK.finditer(README)
]


def run(command: str, directory: Path) -> str:
    """Return what a command prints, in a terminal of 80 columns, with these programs."""
    environment = {
        **os.environ,
        "COLUMNS": str(COLUMNS),
        "DACAPO": str(ROOT),
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }
    done = run_shell(command, cwd=directory, environment=environment, seconds=TIMEOUT_SECONDS)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def assert_prints(expected: str, actual: str) -> None:
    """As in doctest, `...` stands for anything."""
    if not doctest.OutputChecker().check_output(expected, actual, doctest.ELLIPSIS):
        pytest.fail(f"README says\n{expected}\nbut this is printed\n{actual}", pytrace=False)


@pytest.mark.prove
def test_every_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    commands = 0
    for block in BLOCKS:
        if block.directive == "file":
            (tmp_path / str(block.argument)).write_text(block.text)
        elif block.directive == "runs":
            [(_, expected)] = block.exchanges
            program = shlex.quote(sys.executable)
            command = str(block.argument).replace("python", program, 1)
            assert_prints(expected, run(command, ROOT))
            commands += 1
        elif block.language == "console":
            for command, expected in block.exchanges:
                assert_prints(expected, run(command, tmp_path))
                commands += 1
    assert commands == len(re.findall(r"^\$ ", README, re.MULTILINE))


def test_every_python_block_is_executed() -> None:
    for block in BLOCKS:
        if block.language == "python":
            assert block.directive == "file", block.text


def test_every_make_target_of_the_page_exists() -> None:
    targets = set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "AGENTS.md", *(
    str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").glob("*.md"))
)])  # fmt: skip
def test_links_lead_to_files_that_exist(page: str) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", (ROOT / page).read_text()):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_the_contributors_map_leads_to_files_that_exist() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("## Where to find it")[2]
    rows = table.partition("\n## ")[0]
    paths = re.findall(r"\| `([^`]+)`[^|]*\|$", rows, re.MULTILINE)
    assert len(paths) == 34
    for path in paths:
        assert list(ROOT.glob(path.replace("NAME", "*"))), path
