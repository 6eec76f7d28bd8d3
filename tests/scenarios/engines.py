"""What a story needs of the engine that runs it."""

from __future__ import annotations

import pytest

from dacapo.pytest_plugin import Durable


def only_in_virtual_time(durable: Durable, why: str) -> None:
    """Skip a test on AWS's runner, which can't do something: `why` goes on with the sentence."""
    if durable.engine != "sim":
        pytest.skip(f"the official runner {why}")
