"""Errors in the user's code, scenarios or command lines; every one is a `DacapoError`.

The message says what is wrong and what to do. The command line prints it in one line and exits with
status 2.
"""

from __future__ import annotations

from dacapo.process.source_lines import Place


class DacapoError(Exception):
    """Base class of every error that dacapo raises for something that its user can fix."""


class ScenarioError(DacapoError):
    """The scenario contradicts itself or cannot be run."""


class ConfigurationError(DacapoError):
    """pyproject.toml has a `[tool.dacapo]` that is not valid."""


class NetworkRefused(DacapoError):  # noqa: N818 - an event, not an error
    """A run tried to reach another machine."""


class HandlerStuck(DacapoError):  # noqa: N818 - an event, not an error
    """A handler runs without any call, or waits for something that never happens.

    Parameters:
        what: what it does.
        place: the line that it is at; None if that is not known.
    """

    def __init__(self, what: str, place: Place | None = None) -> None:
        super().__init__(what, place)
        self.what = what
        self.place = place

    def __str__(self) -> str:
        where = f", at {self.place}" if self.place else ""
        return f"{self.what}{where}: end the loop, or sleep in it"


class NeverHappens(DacapoError, TimeoutError):  # noqa: N818 - an event, not an error
    """A test waits for something that never happens, however much time passes."""


class TargetError(DacapoError):
    """The target on the command line is neither a scenario nor a durable handler."""


class OperationNotFound(DacapoError, LookupError):  # noqa: N818
    """The execution has no operation with this name, or several."""


class HistoryError(DacapoError, ValueError):
    """A history can't be fetched, or a file does not hold one that can be replayed, or not all."""


class UnsupportedByEngine(DacapoError):  # noqa: N818
    """The official runner does not support what this scenario needs."""


class SdkChangedError(DacapoError, RuntimeError):
    """The installed SDK lacks a private name that dacapo relies on."""
