"""`verify` reports the mistake in a broken handler once, and nothing in a fixed one."""

from __future__ import annotations

from importlib import import_module

import pytest

from dacapo import Report, verify
from dacapo.verify.experiments.reference import DEFAULT_CRASHES
from gotchas import GOTCHAS
from gotchas.verdicts import VERDICTS
from tests.depth import every
from tools import gotchas

PAGE = gotchas.PAGE.read_text()
FEW_CRASHES = 3
"""Crash points for fixed handlers, which keeps the suite short."""


def verified(name: str, scenario: str, crashes: int = DEFAULT_CRASHES) -> Report:
    return verify(getattr(import_module(f"gotchas.{name}"), scenario), crashes=crashes)


@pytest.mark.parametrize("name", every(4, GOTCHAS))
def test_a_broken_handler_has_exactly_one_finding_as_certain_as_the_table_says(
    name: str,
) -> None:
    report = verified(name, "breaks")
    assert [finding.code for finding in report.findings] == [VERDICTS[name].finding]
    assert report.proved == (report.findings if VERDICTS[name].is_proved else [])
    assert gotchas.as_line(report.findings[0]) in PAGE


@pytest.mark.parametrize("name", every(9, GOTCHAS))
def test_a_fixed_handler_has_no_finding(name: str, thorough: bool) -> None:
    crashes = DEFAULT_CRASHES if thorough else FEW_CRASHES
    assert [finding.message for finding in verified(name, "holds", crashes).findings] == []
