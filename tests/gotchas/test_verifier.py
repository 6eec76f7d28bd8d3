"""The verifier finds what is wrong in a broken handler, once, and nothing in a fixed one."""

from __future__ import annotations

from importlib import import_module

import pytest

from dacapo.verify.experiments import DEFAULT_CRASHES
from dacapo.verify.report import Report
from dacapo.verify.verifier import verify
from gotchas import GOTCHAS
from gotchas.verdicts import VERDICTS
from tools import gotchas

PAGE = gotchas.PAGE.read_text()
FEW_CRASHES = 3
"""For what is right, so that the whole suite stays short."""


def verified(name: str, story: str, crashes: int = DEFAULT_CRASHES) -> Report:
    return verify(getattr(import_module(f"gotchas.{name}"), story), crashes=crashes)


@pytest.mark.parametrize("name", GOTCHAS)
def test_what_is_wrong_with_a_broken_handler_is_proved_and_named_and_nothing_else(
    name: str,
) -> None:
    report = verified(name, "breaks")
    assert [finding.code for finding in report.findings] == [VERDICTS[name].finding]
    assert report.proved == report.findings
    assert gotchas.as_told(report.findings[0]) in PAGE


@pytest.mark.parametrize("name", GOTCHAS)
def test_nothing_is_found_in_a_fixed_handler(name: str, thorough: bool) -> None:
    crashes = DEFAULT_CRASHES if thorough else FEW_CRASHES
    assert [finding.message for finding in verified(name, "holds", crashes).findings] == []
