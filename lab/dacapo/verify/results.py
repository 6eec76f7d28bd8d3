"""What becomes of a step's result, or of its error, on the way to the handler."""

from __future__ import annotations

import copy
from types import FrameType
from typing import TypeVar

from aws_durable_execution_sdk_python.exceptions import DurableOperationError
from aws_durable_execution_sdk_python.identifier import OperationIdentifier
from aws_durable_execution_sdk_python.lambda_service import OperationSubType

from dacapo.places import Place
from dacapo.verify.attempts import short
from dacapo.verify.catching import never_caught
from dacapo.verify.findings import AS_SCHEDULED, PROVED, Code, Finding

_T = TypeVar("_T")


class Results:
    """Compares what steps return and raise with what the handler is given and catches.

    Parameters:
        found: what is wrong.
    """

    def __init__(self) -> None:
        self.found: list[Finding] = []
        self._returned: dict[str, object] = {}

    def of(self, operation: OperationIdentifier, value: _T) -> _T:
        """Remember what a step returned."""
        if operation.sub_type == OperationSubType.STEP:
            self._returned[operation.operation_id] = value
        return value

    def given(self, operation: OperationIdentifier, value: object, place: Place | None) -> None:
        """The handler gets a result, after the serializer had it."""
        if operation.operation_id not in self._returned:
            return
        returned = self._returned.pop(operation.operation_id)
        if _is_other(returned, value):
            one, other = short(repr(returned)), short(repr(value))
            message = f"step {operation.name!r} returns {one}, and the handler gets {other}"
            self._note(Code.CHANGED_BY_SERDES, message, place)

    def failed(self, error: Exception, frame: FrameType) -> None:
        """The handler gets an error from the operation that a frame of its asked for."""
        if isinstance(error, DurableOperationError):
            place = never_caught(error, frame)
            if place is not None:
                kind, was = type(error).__name__, error.error_type
                message = f"what comes is {kind} (error_type {was}), which this does not catch"
                self._note(Code.NEVER_CAUGHT, message, place)

    def _note(self, code: Code, message: str, place: Place | None) -> None:
        self.found.append(Finding(code, PROVED, message, AS_SCHEDULED, place))


def _is_other(returned: object, given: object) -> bool:
    try:
        if returned == given:
            return False
        # What is not even equal to its own copy can't be compared.
        return bool(copy.deepcopy(returned) == returned)
    except Exception:  # noqa: BLE001 - a class of the user's that can be neither copied nor compared
        return False
