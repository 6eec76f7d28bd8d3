"""The project is written in the words of docs/glossary.md."""

from __future__ import annotations

import re

import pytest

from dacapo.verify.findings import ExperimentName
from tests.project.language import ROOT, files, identifier_problems, prose_problems

GLOSSARY = (ROOT / "docs/glossary.md").read_text()


@pytest.mark.prove
def test_prose_and_output_use_the_glossarys_words() -> None:
    assert len(files()) > 100, "nothing was read"
    assert [problem for name in files() for problem in prose_problems(name)] == []


def test_identifiers_use_the_glossarys_words() -> None:
    python = [name for name in files() if name.endswith(".py")]
    assert [problem for name in python for problem in identifier_problems(name)] == []


def test_the_lists_find_what_they_are_for() -> None:
    path = ROOT / "build" / "language_sample.py"
    path.parent.mkdir(exist_ok=True)
    word = "an" + "ew"
    path.write_text(f'# Start {word}.\n\n\ndef tell() -> None:\n    """What is said."""\n')
    try:
        name = str(path.relative_to(ROOT))
        assert len(list(prose_problems(name))) == 1
        assert len(list(identifier_problems(name))) == 2
    finally:
        path.unlink()


def test_the_glossary_lists_the_experiments_in_their_order() -> None:
    table = GLOSSARY.partition("| experiment |")[2]
    listed = re.findall(r"^\| ([a-z ]+) \|", table, re.MULTILINE)
    assert listed == [name.value for name in ExperimentName]
