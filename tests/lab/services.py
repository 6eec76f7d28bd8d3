"""A service of its own, whose handlers a test plays itself."""

from __future__ import annotations

from datetime import timedelta

from aws_durable_execution_sdk_python.lambda_service import ErrorObject

from dacapo.scenario import START
from dacapo.scheduling.clock import Clock
from dacapo.scheduling.scheduler import Scheduler
from dacapo.service.execution import Execution
from dacapo.service.functions import Function, Functions
from dacapo.service.service import DurableService

ERROR = ErrorObject("broken", "Error", None, None)
TIMEOUT = timedelta(hours=1)


def no_handler(execution: Execution) -> None:
    """Clear the pending wake-up instead of running a handler: the machine plays the handler."""
    execution.wake_up = None


def new_service() -> tuple[DurableService, Function]:
    functions = Functions()
    function = Function(
        lambda event, context: None, "function", is_durable=True, execution_timeout=TIMEOUT
    )
    functions.add(function)
    functions.add(Function(lambda event, context: None, "plain", is_durable=False))
    service = DurableService(Scheduler(Clock(START), 0, 0), functions, seed=0)
    service.invoke = no_handler
    return service, function
