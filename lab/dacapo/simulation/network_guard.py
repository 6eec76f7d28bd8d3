"""Fail closed: a run can't reach the network, and has no credentials to use there.

Importing `dacapo` takes the process offline as far as AWS is concerned: it sets dummy credentials
and a region, because clients are often created when a module is imported. During a run, every
connection that is not loopback is refused, with the line that tried. The only way out is explicit:
set `DACAPO_NETWORK=allow` before `dacapo` is imported. `dacapo history`, which runs no handler and
has to reach AWS, gets the credentials back with `online`.

A handler may also be replayed without the world of its scenario: `dacapo check` has only histories.
If nobody listens there on this machine, that says nothing of the handler, so it ends the run too.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from dacapo.errors import NetworkRefused
from dacapo.process import source_lines
from dacapo.process.active_run import ACTIVE
from dacapo.service.functions import REGION

NETWORK_VARIABLE = "DACAPO_NETWORK"
"""Environment variable that allows runs to reach the network if it is `allow`."""

_DUMMY_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "dacapo",
    "AWS_SECRET_ACCESS_KEY": "dacapo",
    "AWS_SESSION_TOKEN": "dacapo",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_PROFILE = "AWS_PROFILE"

KEPT_VARIABLES = frozenset((*_DUMMY_ENVIRONMENT, "AWS_PROFILE", NETWORK_VARIABLE))
"""Variables that keep a run offline: nothing that describes a function may set them."""


class _Blocked(BaseException):
    """Ends the run where it tried to leave this machine.

    It is not an `Exception`, so that a handler that catches everything can't hide it.
    """


class _Guard:
    """Audit listener that refuses the connections of one run."""

    def __init__(self) -> None:
        self.refused: NetworkRefused | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _HOST_OF and not is_loopback(host := _HOST_OF[event](arguments)):
            self.refuse(host)

    def refuse(self, host: object) -> None:
        """End the run, because something tries to reach a host."""
        self.refused = NetworkRefused(_explain(host))
        raise _Blocked(str(self.refused))

    @contextmanager
    def noticing_absence(self) -> Iterator[None]:
        """Context manager that refuses what nobody answers, if the world is missing."""
        if ACTIVE.has_world:
            yield
            return
        really_connect = socket.socket.connect

        def connect(connection: socket.socket, address: Any) -> None:
            try:
                really_connect(connection, address)
            except ConnectionRefusedError:
                self.refuse(_host_of_address(address))

        with patch.object(socket.socket, "connect", connect):
            yield


def is_offline() -> bool:
    """Return True unless the environment allows runs to reach the network."""
    return os.environ.get(NETWORK_VARIABLE) != "allow"


def take_offline() -> None:
    """Replace AWS credentials, profile and region of this process by dummy values."""
    if is_offline():
        ACTIVE.replaced_environment = _own_environment()
        os.environ.update(_DUMMY_ENVIRONMENT)
        os.environ.pop(_PROFILE, None)


@contextmanager
def online() -> Iterator[None]:
    """Context manager that gives the process back its own AWS credentials, profile and region.

    It is for commands that read from AWS and run no handler; a run inside it is still refused the
    network.
    """
    own = ACTIVE.replaced_environment
    with patch.dict(os.environ, {name: value for name, value in own.items() if value is not None}):
        for name, value in own.items():
            if value is None:
                os.environ.pop(name, None)
        yield


def _own_environment() -> dict[str, str | None]:
    # The process may have inherited the dummies from one that imported dacapo: then it has none.
    key = "AWS_ACCESS_KEY_ID"
    has_own = os.environ.get(key) != _DUMMY_ENVIRONMENT[key]
    names = (*_DUMMY_ENVIRONMENT, _PROFILE)
    return {name: os.environ.get(name) if has_own else None for name in names}


@contextmanager
def in_region(region: str) -> Iterator[None]:
    """Context manager that makes another region than the usual one that of this process."""
    if region == REGION:
        yield
        return
    with patch.dict(os.environ, AWS_REGION=region, AWS_DEFAULT_REGION=region):
        yield


def is_loopback(host: str | bytes | None) -> bool:
    """Return True if a host name or address is this machine; None is a local socket."""
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
    """Context manager that refuses every connection and lookup that is not loopback.

    Raises:
        NetworkRefused: there was one, even if its error was swallowed where it was raised.
    """
    if not is_offline():
        yield
        return
    guard = _Guard()
    try:
        with ACTIVE.audited_by(guard), guard.noticing_absence():
            yield
    except _Blocked:
        pass  # raised below as NetworkRefused
    if guard.refused is not None:
        raise guard.refused


def _host_of_address(address: Any) -> str | None:
    return str(address[0]) if isinstance(address, tuple) else None


_HOST_OF: dict[str, Callable[[tuple[Any, ...]], str | bytes | None]] = {
    "socket.connect": lambda arguments: _host_of_address(arguments[1]),
    "socket.sendto": lambda arguments: _host_of_address(arguments[1]),
    "socket.sendmsg": lambda arguments: _host_of_address(arguments[1]),
    "socket.getaddrinfo": lambda arguments: arguments[0],
    "socket.gethostbyname": lambda arguments: arguments[0],
}
"""Audit events of connections, and how to get the host from each; a path or None is local."""


def _explain(host: object) -> str:
    return (
        f"a run cannot leave this machine, but {source_lines.current_line() or 'something'} tried "
        f"to reach {host}. Put the service that it calls into the scenario's world, and import "
        f"dacapo before the module that creates the client; or set {NETWORK_VARIABLE}=allow to let "
        "every run reach the network."
    )
