"""Errors in the user's code, scenarios or command lines; every one is a `DacapoError`.

The message says what is wrong and what to do. The command line prints it in one line and exits with
status 2.
"""

from __future__ import annotations


class DacapoError(Exception):
    """Base class of every error that dacapo raises for something that its user can fix."""


class ScenarioError(DacapoError):
    """The scenario contradicts itself or cannot be run."""


class ConfigurationError(DacapoError):
    """pyproject.toml has a `[tool.dacapo]` that is not valid."""


class NetworkRefused(DacapoError):  # noqa: N818 - an event, not an error
    """A run tried to reach another machine."""


class HandlerStuck(DacapoError):  # noqa: N818 - an event, not an error
    """A handler runs without any call, or waits for something that never happens."""


class TargetError(DacapoError):
    """The target on the command line is neither a scenario nor a durable handler."""


class OperationNotFound(DacapoError, LookupError):  # noqa: N818
    """The execution has no operation with this name, or several."""


class HistoryError(DacapoError, ValueError):
    """A file does not hold a history that can be replayed, or only a part of one."""


class UnsupportedByEngine(DacapoError):  # noqa: N818
    """The official runner does not support what this scenario needs."""


class SdkChangedError(DacapoError, RuntimeError):
    """The installed SDK lacks a private name that dacapo relies on."""
