"""docs/show.md: its commands work, and its figures are those of the page."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

from dacapo.report.page.build import execution_of, page_from
from dacapo.report.page.html import html_of
from dacapo.report.page.model import Execution, Page
from dacapo.report.page.passes import watch
from tests.command_line import REPOSITORY, dacapo
from tests.page import handlers

TEXT = (REPOSITORY / "docs/show.md").read_text()
COMMANDS = re.search(r"```sh\n(dacapo .*?)```", TEXT, re.DOTALL)


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    assert COMMANDS is not None
    for line in COMMANDS[1].splitlines():
        _, *arguments = shlex.split(line)
        here = [
            str(tmp_path / one) if one in ("page.html", "history.json") else one
            for one in arguments
        ]
        result = dacapo(*here)
        assert result.returncode == 0, (line, result.stderr)
        assert ("--html" in arguments) == (tmp_path / "page.html").exists(), line
        (tmp_path / "page.html").unlink(missing_ok=True)


def test_the_page_names_every_member_of_the_model_that_a_reader_starts_from() -> None:
    for member in ("schema", "title", "has_payloads", "executions", "rows", "parting"):
        assert member in {field.name for field in fields(Page)}
        assert f"`{member}`" in TEXT
    named = set(re.findall(r"`executions\[\]\.(\w+)`", TEXT))
    assert named <= {field.name for field in fields(Execution)}
    assert len(named) > 5


def test_a_page_is_as_small_as_the_docs_say() -> None:
    page = page_from([execution_of(watch(handlers.asked))])
    assert "less than 100 KB plus its data" in TEXT
    assert len(html_of(page).encode()) < 100_000
