"""The serializers that a handler gives its operations: which there are, and when they run.

What a serializer does (draw a nonce, read the clock, store a value elsewhere) is its own business:
it is not the handler's body, and what it writes need not be the same twice. What it *gives* is.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import FrameType, ModuleType
from typing import Any
from unittest.mock import patch

from aws_durable_execution_sdk_python import context
from aws_durable_execution_sdk_python import serdes as sdk_serdes
from aws_durable_execution_sdk_python.operation import child, invoke, step, wait_for_condition

_USERS: tuple[ModuleType, ...] = (child, context, invoke, step, wait_for_condition)
"""Modules that import the two functions of `serdes` by name."""
_CODES = (sdk_serdes.serialize.__code__, sdk_serdes.deserialize.__code__)
_OF_SDK = (
    sdk_serdes.ExtendedTypeSerDes,
    sdk_serdes.JsonSerDes,
    sdk_serdes.PassThroughSerDes,
)
Report = Callable[[str, Any], None]
"""Takes the ID of an operation, and its serializer."""


def is_serializing(frame: FrameType | None) -> bool:
    """Return True if a serializer of an operation runs in this frame, or one that it called."""
    while frame is not None:
        if frame.f_code in _CODES:
            return True
        frame = frame.f_back
    return False


@contextmanager
def serializers(
    report: Report, frozen_results: Mapping[str, bytes] | None = None
) -> Iterator[None]:
    """Context manager that reports the serializers of a handler's own, each time they are used.

    Parameters:
        report: receives each of them.
        frozen_results: what each operation gave the handler when it was recorded, by ID, as
            `freeze` returns it. It is given again where what the serializer stored elsewhere is
            gone.
    """

    def collect(serdes: Any, operation_id: str) -> None:
        if serdes is not None and not isinstance(serdes, _OF_SDK):
            report(operation_id, serdes)

    def serialize(
        serdes: Any, value: Any, operation_id: str, durable_execution_arn: str
    ) -> str | None:
        collect(serdes, operation_id)
        return sdk_serdes.serialize(serdes, value, operation_id, durable_execution_arn)

    def deserialize(serdes: Any, data: str, operation_id: str, durable_execution_arn: str) -> Any:
        collect(serdes, operation_id)
        try:
            return sdk_serdes.deserialize(serdes, data, operation_id, durable_execution_arn)
        except Exception:  # of a user's serializer, of any kind; raised again if nothing is kept
            if frozen_results is None or operation_id not in frozen_results:
                raise
            return thaw(frozen_results[operation_id])

    with ExitStack() as stack:
        for module in _USERS:
            for function in (serialize, deserialize):
                if hasattr(module, function.__name__):
                    stack.enter_context(patch.object(module, function.__name__, function))
        yield


def freeze(value: object) -> bytes | None:
    """Return a value as bytes that can be kept and sent; None if it cannot be."""
    try:
        return pickle.dumps(value)
    except Exception:  # noqa: BLE001 - a class of the user's that cannot be pickled
        return None


def thaw(frozen: bytes) -> Any:
    """Return a value that `freeze` made bytes of."""
    return pickle.loads(frozen)  # noqa: S301 - made in this run


def given_by(serdes: Any, stored: str, operation_id: str, arn: str) -> Any:
    """Return the value that a serializer gives for what is stored."""
    return sdk_serdes.deserialize(serdes, stored, operation_id, arn)
