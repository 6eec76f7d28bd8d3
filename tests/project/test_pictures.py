"""The pictures of the documentation show what runs show today."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tools.pictures import DIGEST, FOLDER, PICTURES, SCHEMES, Picture, digest_of

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "docs" / "runbook.md", ROOT / "docs" / "show.md")
MOST_BYTES = 300_000


@pytest.mark.parametrize("picture", PICTURES, ids=lambda one: one.name)
def test_a_picture_shows_what_its_run_shows_today(picture: Picture) -> None:
    digest = digest_of(picture.page())
    for scheme in SCHEMES:
        with Image.open(picture.file(scheme)) as image:
            assert image.info[DIGEST] == digest, "python -m tools.pictures makes it again"


def test_a_digest_differs_if_an_operation_does() -> None:
    page = PICTURES[0].page()
    first, *others = page.executions
    assert len(first.operations) == 1
    changed = replace(first, operations=[replace(first.operations[0], name="cook")])
    assert digest_of(page) != digest_of(replace(page, executions=[changed, *others]))


def test_every_picture_is_used_with_a_text_for_those_who_do_not_see_it() -> None:
    used = set()
    for page in PAGES:
        for folder, name, text in re.findall(
            r'src(?:set)?="(docs/)?pictures/([\w-]+\.png)"(?: [^>]*?alt="([^"]*)")?',
            page.read_text(),
        ):
            assert bool(folder) == (page.parent == ROOT), "a link leads somewhere"
            assert text or name.endswith("-dark.png")
            used.add(name)
    files = {path.name for path in FOLDER.iterdir()}
    assert used == files == {one.file(scheme).name for one in PICTURES for scheme in SCHEMES}
    assert all(path.stat().st_size < MOST_BYTES for path in FOLDER.iterdir())
