"""The official runner's interface, in virtual time: import it instead, and nothing else changes.

    from dacapo.testing import DurableFunctionTestRunner

Constructor, methods and results are those of `aws_durable_execution_sdk_python_testing`; the
results are that package's own classes. Waits, retries, polls, timeouts and heartbeats take no real
time, and a test gives the same history each time that it runs. docs/testing.md says what is
different, and why.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Self

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
)
from aws_durable_execution_sdk_python_testing.model import GetDurableExecutionHistoryResponse
from aws_durable_execution_sdk_python_testing.runner import DurableFunctionTestResult
from aws_durable_execution_sdk_python_testing.stores.base import ExecutionStore

from dacapo.errors import NeverHappens
from dacapo.process.active_run import ACTIVE
from dacapo.service.callbacks import DeliveryKind
from dacapo.service.callers import Caller
from dacapo.service.execution import Execution
from dacapo.service.functions import LATEST, Function, Handler
from dacapo.testing import outcomes, waiting
from dacapo.testing.actions import Actions, input_of
from dacapo.testing.session import Session, turn
from dacapo.testing.timeouts import Timeouts

_TEST = Caller("the test")


class DurableFunctionTestRunner:
    """Runs a durable function in a test, step by step, in virtual time.

    Parameters:
        handler: the durable handler.
        poll_interval: has no meaning here, because nothing polls.
        max_invocation_page_bytes: has no meaning here; the service pages by number of operations.
        execution_timeout: seconds; 0 for none. In the official runner they are real, and skipped
            time does not count; here nothing takes real time. So it ends an execution, as
            TIMED_OUT, where that waits for what never happens, and if it is less than the `timeout`
            for which the test waits. If `skip_time` is False, it bounds virtual time, as on AWS.
        invocation_timeout: virtual seconds that one invocation may take.
        store: has no meaning here: executions stay in memory, and nothing is written to it.
        skip_time: time is always virtual; see `execution_timeout`.
        region: AWS region in the functions' ARNs; the region of clients stays what it is.
    """

    def __init__(
        self,
        handler: Handler,
        poll_interval: float = 1.0,
        max_invocation_page_bytes: int | None = None,
        execution_timeout: int = 300,
        invocation_timeout: int = 900,
        store: ExecutionStore | None = None,
        skip_time: bool = True,
        region: str = "us-west-2",
    ) -> None:
        _ = max_invocation_page_bytes, store
        self.poll_interval = poll_interval
        self._handler = handler
        self._invocation_timeout = timedelta(seconds=invocation_timeout)
        self._region = region
        self._session = Session(region)
        self._timeouts = Timeouts(self._session, execution_timeout, is_virtual=not skip_time)
        self._actions = Actions(handler, self._session)
        if ACTIVE.test is not None:
            ACTIVE.test.watch(self._actions)

    def register_durable_function(
        self,
        function_name: str,
        handler: Handler,
        execution_timeout: int = 120,
        retention_period_days: int = 1,
    ) -> Self:
        """Register a durable function that the handler can invoke.

        Parameters:
            function_name: its name, with a qualifier or without.
            handler: the durable handler.
            execution_timeout: seconds; as for the runner.
            retention_period_days: has no meaning here.

        Returns:
            The runner.
        """
        _ = retention_period_days
        limit = self._timeouts.record(function_name, execution_timeout)
        return self._register(function_name, handler, limit, is_durable=True)

    def register_function(self, function_name: str, handler: Handler) -> Self:
        """Register a function that is not durable, and that the handler can invoke.

        Parameters:
            function_name: its name, with a qualifier or without.
            handler: it receives the payload and a Lambda context, once.

        Returns:
            The runner.
        """
        return self._register(function_name, handler, None, is_durable=False)

    def __enter__(self) -> Self:
        """Return the runner."""
        return self

    def __exit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        """Close the runner."""
        self.close()

    def close(self) -> None:
        """Abandon what still runs; results and histories can still be read."""
        self._session.close()

    # -- executions -------------------------------------------------------------------------------

    def run(
        self,
        input: str | None = None,  # noqa: A002 - as the official one
        execution_timeout: int | None = None,
        timeout: int | None = None,
        function_name: str = "test-function",
        execution_name: str = "execution-name",
        account_id: str = "123456789012",
        tenant_id: str | None = None,
    ) -> DurableFunctionTestResult:
        """Run the handler to its end, and return the result.

        Parameters:
            input: JSON, or a text that is sent as JSON.
            execution_timeout: seconds; None for the runner's.
            timeout: the older name of `execution_timeout`.
            function_name, execution_name, account_id, tenant_id: of the execution.

        Raises:
            NeverHappens: the execution waits for something that never happens.
        """
        if timeout is not None and execution_timeout is None:
            message = "timeout on run() is deprecated. Use execution_timeout instead."
            warnings.warn(message, DeprecationWarning, stacklevel=2)
        limit = self._timeouts.first_of(execution_timeout, timeout)
        arn = self.run_async(
            input,
            limit,
            function_name=function_name,
            execution_name=execution_name,
            account_id=account_id,
            tenant_id=tenant_id,
        )
        return self.wait_for_result(arn, limit)

    def run_async(
        self,
        input: str | None = None,  # noqa: A002 - as the official one
        execution_timeout: int | None = None,
        timeout: int | None = None,
        function_name: str = "test-function",
        execution_name: str = "execution-name",
        account_id: str = "123456789012",
        tenant_id: str | None = None,
    ) -> str:
        """Start an execution, run what is due at once, and return the execution's ARN.

        Parameters:
            input, execution_timeout, timeout, function_name, execution_name, account_id, tenant_id:
                as for `run`.
        """
        limit = self._timeouts.first_of(execution_timeout, timeout)
        function = Function(
            self._handler,
            function_name,
            is_durable=True,
            execution_timeout=self._timeouts.in_virtual_time(limit),
            timeout=self._invocation_timeout,
            region=self._region,
            account=account_id,
            tenant_id=tenant_id,
            qualifier=LATEST,
        )
        payload = input_of(input)
        self._actions.on_starting()
        with self._session.called():
            execution = self._session.start(function, payload, execution_name)
            self._timeouts.record(execution.arn, limit)
            self._actions.started(execution)
            self._session.settle()
        return execution.arn

    def wait_for_result(self, execution_arn: str, timeout: int = 60) -> DurableFunctionTestResult:
        """Let time go on until an execution has ended, and return its result.

        Parameters:
            execution_arn: the execution.
            timeout: real seconds for which other threads of the test may take their time to answer
                a callback, at most 10; and what `execution_timeout` is compared with.

        Raises:
            NeverHappens: the execution waits for something that never happens.
            ResourceNotFoundException: there is no such execution.
        """
        with outcomes.refusals("execution does not exist."):
            execution = self._session.service.find(execution_arn)
        while execution.is_running and not self._session.play(
            lambda: not execution.is_running, timeout
        ):
            self._timeouts.end_one(execution, timeout)
        return outcomes.result_of(execution)

    def get_execution_history(
        self,
        execution_arn: str,
        include_execution_data: bool = False,
    ) -> GetDurableExecutionHistoryResponse:
        """Return the events of an execution, or of one that it invoked; all of them, on one page.

        Parameters:
            execution_arn: the execution.
            include_execution_data: whether payloads and errors are included.

        Raises:
            InvalidParameterValueException: the ARN is blank.
            ResourceNotFoundException: there is no such execution.
        """
        execution = self._find(execution_arn)
        return outcomes.history_of(execution, with_data=include_execution_data)

    def pause_execution(self, execution_arn: str, timeout: float = 60) -> None:
        """Pause an execution, and let its running invocation come to its end.

        An execution that is paused already, or has ended, stays as it is.

        Parameters:
            execution_arn: the execution.
            timeout: seconds, finite and more than 0; as for `wait_for_result`.

        Raises:
            InvalidParameterValueException: the ARN is blank.
            ResourceNotFoundException: there is no such execution.
            ValueError: `timeout` is not finite and positive.
        """
        if not math.isfinite(timeout) or timeout <= 0:
            raise ValueError("timeout must be finite and positive")
        execution = self._find(execution_arn)
        if execution.is_running and execution.pause is None:
            with self._session.called():
                self._actions.paused(execution)
                self._session.service.pauses.pause(execution_arn)
        self._session.play(lambda: not execution.is_invoked, timeout)

    def resume_execution(self, execution_arn: str) -> None:
        """Resume an execution: the invocation that the pause held back is made.

        An execution that is not paused stays as it is.

        Raises:
            InvalidParameterValueException: the ARN is blank.
            ResourceNotFoundException: there is no such execution.
        """
        execution = self._find(execution_arn)
        if execution.pause is not None:
            with self._session.called():
                self._actions.resumed(execution)
                self._session.service.pauses.resume(execution_arn)
                self._session.settle()

    # -- callbacks --------------------------------------------------------------------------------

    def wait_for_callback(
        self, execution_arn: str, name: str | None = None, timeout: int = 60
    ) -> str:
        """Let time go on until an execution has an open callback, and return the callback's ID.

        Parameters:
            execution_arn: the execution.
            name: the callback's name; that of a `wait_for_callback` is enough. Of several, it is
                the first one that is open. None for the latest one of all.
            timeout: as for `wait_for_result`.

        Raises:
            NeverHappens: the execution ends, or waits for something else, without such a callback.
            DurableFunctionsTestError: the callback of that name is complete.
        """
        execution = self._session.service.executions.get(execution_arn)
        if execution is None:
            raise NeverHappens("the callback does not come: there is no execution with this ARN")
        while True:
            if not self._session.play(lambda: waiting.has_callback(execution, name), timeout):
                raise NeverHappens(waiting.why_no_callback(execution, name))
            with turn(), outcomes.completed(name):
                operation = waiting.open_callback(execution, name)
            if operation is not None and operation.callback_details is not None:
                return operation.callback_details.callback_id

    def send_callback_success(self, callback_id: str, result: bytes | None = None) -> None:
        """Complete a callback, and run what is due then.

        Parameters:
            callback_id: the callback.
            result: UTF-8, up to 1 MiB; None for none.

        Raises:
            InvalidParameterValueException: the ID is empty.
            ResourceNotFoundException: the service refuses it: it knows no such callback, or that is
                complete.
        """
        result = b"" if result is None else result
        outcomes.check_callback_id(callback_id)
        outcomes.check_result(result)
        self._send(callback_id, DeliveryKind.SUCCESS, result=result)

    def send_callback_failure(self, callback_id: str, error: ErrorObject | None = None) -> None:
        """Fail a callback, and run what is due then.

        Parameters:
            callback_id: the callback.
            error: None for one without message and type.

        Raises:
            InvalidParameterValueException, ResourceNotFoundException: see `send_callback_success`.
        """
        error = error or ErrorObject(None, None, None, None)
        self._send(callback_id, DeliveryKind.FAILURE, error=error)

    def send_callback_heartbeat(self, callback_id: str) -> None:
        """Send a heartbeat for a callback.

        Raises:
            InvalidParameterValueException, ResourceNotFoundException: see `send_callback_success`.
        """
        self._send(callback_id, DeliveryKind.HEARTBEAT)

    # -- private ----------------------------------------------------------------------------------

    def _register(
        self, name: str, handler: Handler, limit: timedelta | None, *, is_durable: bool
    ) -> Self:
        function = Function(
            handler,
            name,
            is_durable=is_durable,
            execution_timeout=limit,
            timeout=self._invocation_timeout,
            region=self._region,
            qualifier=LATEST,  # the official runner accepts invokes without a qualifier
        )
        self._session.simulation.functions.add(function)
        self._actions.functions[name] = handler
        return self

    def _find(self, arn: str) -> Execution:
        outcomes.check_arn(arn)
        with outcomes.refusals("Durable Execution does not exist"):
            return self._session.service.find(arn)

    def _send(
        self,
        callback_id: str,
        kind: DeliveryKind,
        *,
        result: bytes = b"",
        error: ErrorObject | None = None,
    ) -> None:
        outcomes.check_callback_id(callback_id)
        service = self._session.service
        refusals = outcomes.refusals(f"Failed to process callback {kind}: {{}}")
        with refusals, self._session.called(), service.callers.acting_as(_TEST):
            match kind:
                case DeliveryKind.SUCCESS:
                    service.callbacks.succeed(callback_id, result)
                case DeliveryKind.FAILURE:
                    service.callbacks.fail(callback_id, error or ErrorObject(*[None] * 4))
                case DeliveryKind.HEARTBEAT:
                    service.callbacks.heartbeat(callback_id)
            self._actions.sent(callback_id, kind, result, error)
            self._session.settle()


class DurableChildContextTestRunner(DurableFunctionTestRunner):
    """Runs a function that `durable_with_child_context` decorates, as the whole of an execution.

    Parameters:
        context_function: the decorated function.
        args, kwargs: its arguments.
        skip_time: as for `DurableFunctionTestRunner`.
    """

    def __init__(
        self,
        context_function: Callable[..., Any],
        *args: Any,
        skip_time: bool = True,
        **kwargs: Any,
    ) -> None:
        @durable_execution
        @wraps(context_function)
        def handler(event: Any, context: Any) -> Any:
            _ = event
            return context_function(*args, **kwargs)(context)

        super().__init__(handler, skip_time=skip_time)
