"""`verify` reports the mistake in a broken handler once, and nothing in a fixed one."""

from __future__ import annotations

from importlib import import_module

import pytest

from dacapo import Code, Report, verify
from dacapo.verify.experiments.reference import DEFAULT_CRASHES
from dacapo.verify.findings import ExperimentName
from dacapo.verify.verifier import ALL
from gotchas import GOTCHAS
from gotchas.verdicts import VERDICTS
from tests.depth import every
from tests.verify.quick import QUICK
from tools import gotchas

PAGE = gotchas.PAGE.read_text()
FEW_CRASHES = 3
"""Crash points for fixed handlers, which keeps the suite short."""


def verified(name: str, scenario: str, *, thorough: bool, crashes: int = DEFAULT_CRASHES) -> Report:
    """Verify a scenario, in other processes only where they show it, and a share if thorough."""
    is_cold = VERDICTS[name].finding == Code.PROCESS_STATE
    needs_cold = is_cold or (thorough and name in GOTCHAS[::4])
    only = ALL if needs_cold else QUICK
    report = verify(getattr(import_module(f"gotchas.{name}"), scenario), crashes=crashes, only=only)
    assert report.experiments[ExperimentName.REFERENCE_RUN].runs
    return report


@pytest.mark.parametrize("name", every(30, GOTCHAS, proved=1))
def test_a_broken_handler_has_exactly_one_finding_as_certain_as_the_table_says(
    name: str, thorough: bool
) -> None:
    (finding,) = gotchas.besides_sends(verified(name, "breaks", thorough=thorough))
    assert (finding.code, finding.certainty) == (VERDICTS[name].finding, VERDICTS[name].kind)
    assert gotchas.as_line(finding) in PAGE


@pytest.mark.parametrize("name", every(30, GOTCHAS))
def test_a_fixed_handler_has_no_finding(name: str, thorough: bool) -> None:
    crashes = DEFAULT_CRASHES if thorough else FEW_CRASHES
    report = verified(name, "holds", thorough=thorough, crashes=crashes)
    assert [finding.message for finding in gotchas.besides_sends(report)] == []
    assert [finding.message for finding in report.findings if finding.certainty != "lint"] == []
    is_complete = report.experiments[ExperimentName.COLD].runs > 0
    assert report.verdict == "survives" or not is_complete
