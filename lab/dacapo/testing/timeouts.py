"""The `execution_timeout` of executions that a test drives.

In AWS's runner it is in real seconds, which do not pass here. So it ends an execution where nothing
else does, or bounds its virtual time; docs/testing.md says why.
"""

from __future__ import annotations

from datetime import timedelta

from aws_durable_execution_sdk_python.lambda_service import ErrorObject, OperationStatus

from dacapo.errors import NeverHappens
from dacapo.service.execution import Execution
from dacapo.testing import waiting
from dacapo.testing.session import Session, turn


class Timeouts:
    """The timeouts of the executions of one runner.

    Parameters:
        session: the runner's session.
        default: seconds; of an execution that has no timeout of its own.
        is_virtual: whether they bound virtual time, as on AWS.
    """

    def __init__(self, session: Session, default: int, *, is_virtual: bool) -> None:
        self._session = session
        self._default = default
        self._is_virtual = is_virtual
        self._limits: dict[str, int] = {}

    def record(self, name: str, seconds: int) -> timedelta | None:
        """Record the timeout of a function or an execution, and return it; see `in_virtual_time`.

        Parameters:
            name: the function's name, or the execution's ARN.
        """
        self._limits[name] = seconds
        return self.in_virtual_time(seconds)

    def first_of(self, *seconds: int | None) -> int:
        """Return the first timeout that is given, or the default."""
        return next((limit for limit in seconds if limit is not None), self._default)

    def in_virtual_time(self, seconds: int) -> timedelta | None:
        """Return the timeout of an execution in virtual time; None if it has none."""
        return timedelta(seconds=seconds) if self._is_virtual and seconds > 0 else None

    def end_one(self, execution: Execution, patience: float) -> None:
        """End the execution whose timeout is the first one, for nothing else can happen.

        Parameters:
            execution: what the test waits for; those that it invoked may end, too.
            patience: seconds for which the test waits.

        Raises:
            NeverHappens: the test does not wait for as long as any of them.
        """
        session = self._session
        with turn():
            concerned = [one for one in session.running if waiting.belongs_to(one, execution)]
        limits = [
            (one.started + timedelta(seconds=limit), number, limit)
            for number, one in enumerate(concerned)
            if 0 < (limit := self._limit_of(one)) < patience
        ]
        if not limits:
            raise NeverHappens(waiting.why_no_end(concerned))
        at, number, limit = min(limits)
        error = ErrorObject(f"Execution timed out after {limit} seconds.", None, None, None)
        with session.called():
            session.clock.advance_to(at)
            session.service.end(concerned[number], OperationStatus.TIMED_OUT, error=error)
            session.settle()

    def _limit_of(self, execution: Execution) -> int:
        function = execution.function
        names = (execution.arn, f"{function.name}:{function.qualifier}", function.name)
        return self.first_of(*(self._limits.get(name) for name in names))
