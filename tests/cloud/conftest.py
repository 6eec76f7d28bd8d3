"""Whether these tests run at all, and the executions that they start, each of which is ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.cloud.execution import Executions
from tests.cloud.stack import Stack

STACK_VARIABLE = "DACAPO_STACK"
SLOW_VARIABLE = "DACAPO_SLOW"
WORKER_VARIABLE = "PYTEST_XDIST_WORKER"
COMMAND = "DACAPO_NETWORK=allow DACAPO_STACK=dacapo .venv/bin/pytest tests/cloud"
"""How to run them (tests/cloud/README.md)."""
NO_STACK = f"needs a deployed stack: {COMMAND} -p no:cacheprovider (see tests/cloud/README.md)"
OFFLINE = (
    f"{STACK_VARIABLE} names a deployed stack, but this process has no credentials to reach it "
    "with: {why}. Run these tests by themselves, and so: "
    f"{COMMAND} -p no:cacheprovider; or unset {STACK_VARIABLE}."
)
SHORTEST_ACCESS_KEY = 16
"""IAM API, AccessKey: what is shorter is none."""


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker of these tests."""
    config.addinivalue_line("markers", f"slow: takes minutes; only run with {SLOW_VARIABLE}=1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests if no stack is named; refuse to go on if one is that can't be reached.

    Here and not earlier, because tests in other folders replace credentials while they are
    collected.
    """
    ours = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    if not os.environ.get(STACK_VARIABLE):
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=NO_STACK))
        return
    why = _why_offline()
    # A worker of xdist can't say so; there the stack says it, test by test.
    if ours and why and WORKER_VARIABLE not in os.environ:
        raise pytest.UsageError(OFFLINE.format(why=why))
    for item in ours:
        if item.get_closest_marker("slow") and os.environ.get(SLOW_VARIABLE) != "1":
            item.add_marker(pytest.mark.skip(reason=f"takes minutes: set {SLOW_VARIABLE}=1"))


def _why_offline() -> str | None:
    if "dacapo" in sys.modules:
        from dacapo import safety  # noqa: PLC0415 - it must not be imported for this

        if safety.is_offline():
            return f"dacapo has taken it offline, because {safety.NETWORK_VARIABLE} is not allow"
    given = os.environ.get("AWS_ACCESS_KEY_ID")
    if given is not None and len(given) < SHORTEST_ACCESS_KEY:
        return f"AWS_ACCESS_KEY_ID is {given!r}, which is a dummy"
    return None


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The stack that is named."""
    if why := _why_offline():
        pytest.fail(OFFLINE.format(why=why), pytrace=False)
    if boto3.Session().region_name is None:
        pytest.fail("no region: set AWS_DEFAULT_REGION, or a profile that has one", pytrace=False)
    name = os.environ[STACK_VARIABLE]
    found, why = None, ""
    try:
        found = Stack(name)
    except (BotoCoreError, ClientError) as error:
        why = str(error)
    if found is None:
        pytest.fail(f"the stack {name} can't be read: {why}", pytrace=False)
    yield found
    found.close()


@pytest.fixture
def executions(stack: Stack) -> Iterator[Executions]:
    """Starts executions, and ends them after the test."""
    of_this_test = Executions(stack)
    try:
        yield of_this_test
    finally:
        of_this_test.end()
