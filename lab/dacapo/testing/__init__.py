"""Test support: the `durable` fixture's class, and the official runner's interface in virtual time.

`DurableFunctionTestRunner` and `DurableChildContextTestRunner` need the official testing package,
of which the results are; so they are imported when somebody asks for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dacapo.testing.runner import (
        DurableChildContextTestRunner as DurableChildContextTestRunner,
    )
    from dacapo.testing.runner import DurableFunctionTestRunner as DurableFunctionTestRunner

RUNNERS = ("DurableFunctionTestRunner", "DurableChildContextTestRunner")
"""The classes of the official package that are replaced."""
OFFICIAL = "aws_durable_execution_sdk_python_testing"
"""The official package's module."""


def __getattr__(name: str) -> Any:
    if name not in RUNNERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module("dacapo.testing.runner"), name)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(OFFICIAL):
            raise
        package = OFFICIAL.replace("_", "-")
        raise ImportError(
            f"{name} returns the results of AWS's testing package: pip install {package}"
        ) from error
