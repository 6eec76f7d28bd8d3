"""Fail closed: a run can't reach the network, and has no credentials to reach it with.

Importing `dacapo` takes the process offline as far as AWS is concerned: it sets dummy credentials
and a region, for clients are often made when a module is imported. During a run, any socket that
is not loopback is refused, with the line that tried. The one way out is explicit: set
`DACAPO_NETWORK=allow` before `dacapo` is imported.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dacapo import places
from dacapo.service.functions import REGION

NETWORK_VARIABLE = "DACAPO_NETWORK"

_DUMMY_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "dacapo",
    "AWS_SECRET_ACCESS_KEY": "dacapo",
    "AWS_SESSION_TOKEN": "dacapo",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


class NetworkRefused(BaseException):
    """A run tried to reach something that is not on this machine.

    Not an `Exception`: a handler that catches everything must not hide it.
    """


class _Guard:
    """The refusal, switched on while a run lasts (an audit hook can't be taken back)."""

    def __init__(self) -> None:
        self.is_on = False
        self.is_installed = False
        self.refused: NetworkRefused | None = None

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.is_on and event in _HOST_OF:
            host = _HOST_OF[event](arguments)
            if not is_here(host):
                self.refused = NetworkRefused(_explain(host))
                raise self.refused


_guard = _Guard()


def is_offline() -> bool:
    """Whether runs are kept off the network; they are, unless the environment says otherwise."""
    return os.environ.get(NETWORK_VARIABLE) != "allow"


def take_offline() -> None:
    """Replace AWS credentials, profile and region of this process by dummies."""
    if is_offline():
        os.environ.update(_DUMMY_ENVIRONMENT)
        os.environ.pop("AWS_PROFILE", None)


def is_here(host: str | bytes | None) -> bool:
    """Whether a host is this machine, as a name or an address; None is a local socket."""
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


@contextmanager
def guarded() -> Iterator[None]:
    """While this lasts, refuse every connection and look-up that is not loopback.

    Raises:
        NetworkRefused: something tried, even if the error was swallowed where it was raised.
    """
    if not is_offline():
        yield
        return
    if not _guard.is_installed:
        sys.addaudithook(_guard.audit)
        _guard.is_installed = True
    _guard.is_on, _guard.refused = True, None
    try:
        yield
    finally:
        _guard.is_on = False
    if _guard.refused is not None:
        raise _guard.refused


def _host_of_address(address: Any) -> str | None:
    return str(address[0]) if isinstance(address, tuple) else None


_HOST_OF: dict[str, Callable[[tuple[Any, ...]], str | bytes | None]] = {
    "socket.connect": lambda arguments: _host_of_address(arguments[1]),
    "socket.sendto": lambda arguments: _host_of_address(arguments[1]),
    "socket.sendmsg": lambda arguments: _host_of_address(arguments[1]),
    "socket.getaddrinfo": lambda arguments: arguments[0],
    "socket.gethostbyname": lambda arguments: arguments[0],
}
"""Audit events that reach out, and how to read the host from each; a path or nothing is local."""


def _explain(host: object) -> str:
    return (
        f"a run may not leave this machine, but {places.acting() or 'something'} tried to reach "
        f"{host}. Put what it talks to into the scenario's world, and import dacapo before the "
        f"module that makes the client; or set {NETWORK_VARIABLE}=allow to let every run reach the "
        "network."
    )
