"""Exit statuses of `dacapo run`, `verify` and `check`: one table, which docs and --help repeat."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from textwrap import fill

from dacapo.history import endings
from dacapo.history.recording import Recording
from dacapo.scenario import Scenario
from dacapo.verify.deploy_check.results import CheckResult
from dacapo.verify.findings import Report, Verdict


class ExitStatus(IntEnum):
    """The exit status of a command; the first of 2, 1, 3 that applies."""

    AS_IT_SHOULD_BE = 0
    PROVED = 1
    MISTAKE = 2
    NOT_VERIFIED = 3


MEANINGS = {
    ExitStatus.AS_IT_SHOULD_BE: "as it should be; suspicions and lints do not change it",
    ExitStatus.PROVED: "something is proved, or --fail-on lint and there is a lint",
    ExitStatus.MISTAKE: "a mistake in the call, the target cannot be imported, a damaged file",
    ExitStatus.NOT_VERIFIED: "not verified: the handler failed though nobody expected it, or an "
    "experiment that applies was left out without a waiver",
}
SIGNALED = 128
"""Added to the number of the signal that ended a command."""
TABLE = "\b\n" + "\n".join(
    [
        "Exit status:",
        *(
            fill(meaning, 76, initial_indent=f"  {status.value}  ", subsequent_indent="     ")
            for status, meaning in MEANINGS.items()
        ),
    ]
)
"""The table for --help."""


def of_run(scenario: Scenario, recording: Recording) -> ExitStatus:
    """Return the exit status of a run: its invariant, and then its ending, decide it."""
    if recording.broken_invariant is not None:
        return ExitStatus.PROVED
    error = recording.error.type if recording.error else None
    is_expected = endings.is_expected(scenario.expects, recording.status, error)
    return ExitStatus.AS_IT_SHOULD_BE if is_expected else ExitStatus.NOT_VERIFIED


def of_report(report: Report | CheckResult, *, fails_on_lint: bool) -> ExitStatus:
    """Return the exit status of a verification, or of the check of one history.

    Parameters:
        fails_on_lint: whether a lint counts as if it were proved.
    """
    if report.verdict in (Verdict.BREAKS, Verdict.DRAINS) or (fails_on_lint and report.lints):
        return ExitStatus.PROVED
    is_verified = report.verdict is Verdict.SURVIVES
    return ExitStatus.AS_IT_SHOULD_BE if is_verified else ExitStatus.NOT_VERIFIED


def of_checks(results: Sequence[CheckResult], *, fails_on_lint: bool) -> ExitStatus:
    """Return the exit status of a deploy check.

    Parameters:
        fails_on_lint: whether a lint counts as if it were proved.
    """
    statuses = {of_report(result, fails_on_lint=fails_on_lint) for result in results}
    statuses |= {ExitStatus.MISTAKE for result in results if result.damage}
    worst_first = (ExitStatus.MISTAKE, ExitStatus.PROVED, ExitStatus.NOT_VERIFIED)
    return next((one for one in worst_first if one in statuses), ExitStatus.AS_IT_SHOULD_BE)
