"""Endings of an execution: which ones a scenario can name, and which one a run has."""

from __future__ import annotations

import re

from dacapo.errors import ScenarioError
from dacapo.service.execution import ExecutionStatus
from dacapo.service.sandboxes import EXITED, TIMED_OUT

Expectation = str | type[BaseException] | None
"""A status, the type of an error (by its short or its dotted name, or the class); None for
`SUCCEEDED`."""

NEVER_ENDS = ExecutionStatus.RUNNING.value
STATUSES = (
    *(ExecutionStatus.SUCCEEDED.value, ExecutionStatus.FAILED.value),
    *(ExecutionStatus.TIMED_OUT.value, ExecutionStatus.STOPPED.value, NEVER_ENDS),
)
"""The statuses that can be expected; `RUNNING` is one that never ends."""
LAMBDA_ERRORS = (TIMED_OUT, EXITED)
"""Types of the errors that Lambda itself reports, when it ends an invocation."""
_ERROR_TYPE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def name_of(expects: Expectation) -> str:
    """Return what is expected as a word: a status, or the name of an error type."""
    if expects is None:
        return ExecutionStatus.SUCCEEDED.value
    return expects if isinstance(expects, str) else expects.__name__


def check(expects: object, member: str = "expects") -> None:
    """Refuse what names no ending.

    Parameters:
        expects: what a scenario expects.
        member: how the user calls it.

    Raises:
        ScenarioError: it is neither a status nor an error type.
    """
    is_class = isinstance(expects, type) and issubclass(expects, BaseException)
    if expects is None or is_class or expects in STATUSES:
        return
    is_name = isinstance(expects, str) and _ERROR_TYPE.fullmatch(expects)
    if not is_name or str(expects).isupper():
        raise ScenarioError(
            f"{member} must be a status ({', '.join(STATUSES)}) or the type of an error, not "
            f"{expects!r}: write 'FAILED' or 'StepError', for example"
        )


def is_expected(expects: Expectation, status: str, error_type: str | None) -> bool:
    """Return whether an execution ended as it is expected to.

    Parameters:
        expects: the expected ending.
        status: the execution's status.
        error_type: the type of its error; None if it has none.
    """
    name = name_of(expects)
    return name == status if name in STATUSES else _is_same_type(name, error_type or "")


def short_type(error_type: str | None) -> str:
    """Return the type of an error without its module; the names of Lambda's own have a dot."""
    name = error_type or ""
    return name if name in LAMBDA_ERRORS else name.rpartition(".")[2]


def _is_same_type(one: str, other: str) -> bool:
    shorter, longer = sorted((one.split("."), other.split(".")), key=len)
    return longer[-len(shorter) :] == shorter
