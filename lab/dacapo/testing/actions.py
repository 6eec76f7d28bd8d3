"""What a test does to executions from outside, from which a scenario can be inferred."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import ErrorObject, Operation

from dacapo.service.callbacks import DeliveryKind
from dacapo.service.execution import Execution
from dacapo.service.functions import Handler
from dacapo.testing.session import Session


class Actions:
    """What a test does with one runner."""

    def __init__(self, handler: Handler, session: Session) -> None:
        self.handler = handler
        self.session = session
        self.functions: dict[str, Handler] = {}

    def starting(self) -> None: ...
    def started(self, execution: Execution) -> None: ...
    def paused(self, execution: Execution) -> None: ...
    def resumed(self, execution: Execution) -> None: ...
    def sent(self, callback_id: str, kind: DeliveryKind, result: bytes, error: ErrorObject | None) -> None: ...

ACTIONS: list[Actions] = []
