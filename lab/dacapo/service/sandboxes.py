"""Runs handlers as Lambda does: each invocation in a sandbox that times out, exits or crashes."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import ErrorObject

from dacapo.process import source_lines
from dacapo.scheduling.clock import Timer
from dacapo.scheduling.scheduler import Scheduler
from dacapo.scheduling.tasks import InvocationEnded, Sandbox
from dacapo.service.callers import Caller, Callers
from dacapo.service.functions import HANDLER_FAILURES, Function, LambdaContext

TIMED_OUT = "Sandbox.Timedout"
"""Error type of an invocation that exceeds its function's timeout (testing SDK)."""
EXITED = "Runtime.ExitError"
"""Error type of an invocation whose process ends (Lambda runtime)."""


@dataclass(frozen=True)
class Outcome:
    """The end of an invocation: the handler's output, or the error that Lambda reports for it."""

    output: Any = None
    error: ErrorObject | None = None


class InvocationFailed(Exception):  # noqa: N818 - what happened
    """An invocation failed in a process of its own.

    Parameters:
        error: the error that Lambda reports.
    """

    def __init__(self, error: ErrorObject) -> None:
        super().__init__(error.message)
        self.error = error


class Invoked:
    """One invocation, from its start until it returns, fails, times out or is ended.

    Parameters:
        sandboxes: what runs it.
        function: the function.
        context: its Lambda context.
        on_end: receives the outcome, once.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        function: Function,
        context: LambdaContext,
        on_end: Callable[[Outcome], None],
    ) -> None:
        self.scheduler = scheduler
        self.function = function
        self.context = context
        self.sandbox = Sandbox()
        self.sandbox.on_exit = self.exit
        self._on_end = on_end
        self._has_ended = False
        self._timer: Timer | None = None
        self.renew()

    def renew(self) -> None:
        """Start the timeout of the invocation, again if it continues as the next one."""
        self.pause()
        self._timer = self.scheduler.clock.schedule(
            self.function.timeout,
            self.time_out,
            f"timeout of an invocation of {self.function.name}",
            background=True,
        )

    def pause(self) -> None:
        """Stop the timeout."""
        if self._timer is not None:
            self.scheduler.clock.cancel(self._timer)

    def run(self, event: AbstractContextManager[Any]) -> None:
        """Call the handler in the current task."""
        try:
            with event as received:
                output = self.function.handler(received, self.context)
        except SystemExit as leaving:
            self.end(Outcome(error=self._exit_error(_status_of(leaving))))
        except InvocationFailed as failed:
            self.end(Outcome(error=failed.error))
        except HANDLER_FAILURES as failure:
            self.end(Outcome(error=error_of(failure)))
        else:
            self.end(Outcome(output))

    def time_out(self) -> None:
        """End the invocation because it takes too long."""
        seconds = self.function.timeout.total_seconds()
        self.kill(TIMED_OUT, f"Error: Task timed out after {seconds:.2f} seconds")

    def exit(self, status: int) -> None:
        """End the invocation because its process ends; raise in the thread that ended it.

        Raises:
            InvocationEnded: always.
        """
        self.end(Outcome(error=self._exit_error(status)))
        self.sandbox.end()
        raise InvocationEnded

    def kill(self, error_type: str, message: str) -> None:
        """End the invocation, and unwind its tasks."""
        self.end(Outcome(error=self._error(error_type, message)))
        self.sandbox.end()

    def end(self, outcome: Outcome) -> None:
        """Report the outcome; the first one counts."""
        if not self._has_ended:
            self._has_ended = True
            self.pause()
            self._on_end(outcome)

    def _exit_error(self, status: int) -> ErrorObject:
        reason = f"with error: exit status {status}" if status else "without providing a reason"
        return self._error(EXITED, f"Error: Runtime exited {reason}")

    def _error(self, error_type: str, message: str) -> ErrorObject:
        request_id = self.context.aws_request_id
        return ErrorObject(f"RequestId: {request_id} {message}", error_type, None, None)


class Sandboxes:
    """Starts invocations, each as a task of the scheduler."""

    def __init__(self, scheduler: Scheduler, callers: Callers) -> None:
        self.scheduler = scheduler
        self._callers = callers

    def start(
        self,
        function: Function,
        event: AbstractContextManager[Any],
        context: LambdaContext,
        caller: Caller,
        on_end: Callable[[Outcome], None],
    ) -> Invoked:
        """Start an invocation of a function.

        Parameters:
            event: provides what the handler receives, while it runs.
            context: its Lambda context.
            caller: in whose name it calls the service.
            on_end: receives the outcome, once.
        """
        invoked = Invoked(self.scheduler, function, context, on_end)

        def run() -> None:
            with self._callers.acting_as(caller):
                invoked.run(event)

        name, key = f"an invocation of {function.name}", caller.execution or context.aws_request_id
        self.scheduler.start(name, key, run, invoked.sandbox)
        return invoked


def error_of(failure: BaseException) -> ErrorObject:
    """Return the error that Lambda's runtime reports for an exception.

    Its type is the short name of the class, and its stack trace shows the handler's code where
    Lambda has it (awslambdaric).
    """
    frames = [
        traceback.FrameSummary(
            f"/var/task/{Path(frame.filename).name}", frame.lineno, frame.name, line=frame.line
        )
        for frame in traceback.extract_tb(failure.__traceback__)
        if source_lines.is_user_file(frame.filename)
    ]
    trace = [line.strip() for line in traceback.format_list(frames)]
    error = ErrorObject.from_exception(failure)  # as the SDK does, so that both can be observed
    return replace(
        error, message=str(failure), type=type(failure).__name__, stack_trace=trace or None
    )


def _status_of(leaving: SystemExit) -> int:
    # As the interpreter does: None is success, a message goes to stderr and means failure.
    if leaving.code is None or isinstance(leaving.code, int):
        return leaving.code or 0
    return 1
