"""What processes say to each other: any object that can be pickled, and any error."""

from __future__ import annotations

import io
import pickle
from multiprocessing.connection import Connection
from typing import Any


class Unsendable(Exception):  # noqa: N818 - what it is
    """Something cannot be sent to another process."""


class _Pickler(pickle.Pickler):
    """Sends errors without calling their constructors, which may take other parameters."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, BaseException) and type(value).__module__ != "builtins":
            return _error, (type(value), value.args, value.__dict__)
        return NotImplemented


def _error(kind: type[BaseException], arguments: tuple[Any, ...], state: dict[str, Any]) -> Any:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(state)
    return error


def send(connection: Connection, message: object) -> None:
    """Send a message.

    Raises:
        Unsendable: it holds what cannot be sent.
        OSError: the other process has ended.
    """
    connection.send_bytes(_pack(message))


def receive(connection: Connection) -> Any:
    """Return the next message.

    Raises:
        EOFError: the other process has ended.
    """
    return _unpack(connection.recv_bytes())


def check(message: object) -> None:
    """Check that a message can be sent, and arrives.

    Raises:
        Unsendable: it holds what cannot be sent, or what cannot be built again.
    """
    packed = _pack(message)
    try:
        _unpack(packed)
    except Exception as error:
        raise Unsendable(_described(error)) from error


def _pack(message: object) -> bytes:
    buffer = io.BytesIO()
    try:
        _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(message)
    except Exception as error:
        raise Unsendable(_described(error)) from error
    return buffer.getvalue()


def _unpack(packed: bytes) -> Any:
    return pickle.loads(packed)  # noqa: S301 - from ourselves


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
