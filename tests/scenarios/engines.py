"""Skip tests on an engine that can't run them."""

from __future__ import annotations

import pytest

from dacapo import Durable


def only_in_virtual_time(durable: Durable, why: str) -> None:
    """Skip a test on AWS's runner; `why` completes the sentence "the official runner …"."""
    if durable.engine != "sim":
        pytest.skip(f"the official runner {why}")
