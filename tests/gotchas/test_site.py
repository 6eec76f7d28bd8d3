"""The lessons as pages: one for each gotcha, and an index that leads to them in teaching order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from gotchas import GOTCHAS
from gotchas.__main__ import main
from gotchas.viewer import site
from gotchas.viewer.lesson import heading, module_of
from tests.depth import every


def test_the_index_leads_to_every_lesson_in_teaching_order() -> None:
    links = re.findall(r'<a href="(\w+)\.html">', site.index())
    assert tuple(links) == GOTCHAS


@pytest.mark.parametrize("name", ["effect_before_a_result", "except_timeout_error"])
def test_a_lesson_shows_both_handlers_and_what_the_broken_one_does(
    name: str, tmp_path: Path
) -> None:
    done = CliRunner().invoke(main, [name, "--html", str(tmp_path / "page.html")])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert heading(name)[0].replace("`", "") in page.replace("&#39;", "'")
    assert 'aria-label="broken"' in page
    assert 'aria-label="fixed"' in page


@pytest.mark.parametrize("name", every(15, GOTCHAS))
def test_a_lesson_opens_where_the_harm_shows_and_says_so_below_that_line(name: str) -> None:
    broken, fixed = site.model(name).executions
    (remark,) = broken.findings
    assert broken.source is not None
    lines = [
        (number, text)
        for block in broken.source.blocks
        for number, text in enumerate(block.lines, block.first)
    ]
    shows_at = module_of(name).SHOWS_AT
    assert [number for number, text in lines if shows_at in text] == [remark.line]
    assert remark.run in range(1, len(broken.passes) + 1)
    assert fixed.findings == ()


@pytest.mark.prove
def test_the_site_has_a_page_of_every_gotcha_and_no_link_that_leads_nowhere(
    tmp_path: Path,
) -> None:
    done = CliRunner().invoke(main, ["--site", str(tmp_path)])
    assert done.exit_code == 0, done.output
    pages = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert set(pages) == {site.INDEX, *(f"{name}.html" for name in GOTCHAS)}
    links = {link for page in pages.values() for link in re.findall(r'<a href="([^"#]+)"', page)}
    assert links == set(pages)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_such_gotcha"], "there is no gotcha 'no_such_gotcha'"),
        (["--html", "page.html"], "--html needs a NAME"),
        (["set_iterated", "--html", "nowhere/page.html"], "there is no directory nowhere"),
    ],
)
def test_bad_input_is_a_usage_error(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
