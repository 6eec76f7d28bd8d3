"""Skip these tests without a stack, and end every execution that they start."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.cloud.execution import Executions
from tests.cloud.stack import Stack, Stacks

STACK_VARIABLE = "DACAPO_STACK"
SLOW_VARIABLE = "DACAPO_SLOW"
WORKER_VARIABLE = "PYTEST_XDIST_WORKER"
COMMAND = "DACAPO_NETWORK=allow DACAPO_STACK=dacapo .venv/bin/pytest tests/cloud"
"""How to run these tests (tests/cloud/README.md)."""
NO_STACK = f"requires a deployed stack: {COMMAND} -p no:cacheprovider (see tests/cloud/README.md)"
OFFLINE = (
    f"{STACK_VARIABLE} names a deployed stack, but this process has no credentials for it: "
    "{why}. Run these tests on their own: "
    f"{COMMAND} -p no:cacheprovider; or unset {STACK_VARIABLE}."
)
MIN_ACCESS_KEY_LENGTH = 16
"""Minimum length of a valid access key ID (IAM API, AccessKey)."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of these tests."""
    config.addinivalue_line("markers", f"slow: takes minutes; runs only with {SLOW_VARIABLE}=1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests if no stack is named; abort if a stack is named that can't be reached.

    This runs after collection, because tests in other folders replace credentials during
    collection.
    """
    ours = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    if not os.environ.get(STACK_VARIABLE):
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=NO_STACK))
        return
    why = _why_offline()
    # An xdist worker can't report a usage error; there, the stack fixture fails each test.
    if ours and why and WORKER_VARIABLE not in os.environ:
        raise pytest.UsageError(OFFLINE.format(why=why))
    for item in ours:
        if item.get_closest_marker("slow") and os.environ.get(SLOW_VARIABLE) != "1":
            item.add_marker(pytest.mark.skip(reason=f"takes minutes: set {SLOW_VARIABLE}=1"))


def _why_offline() -> str | None:
    if "dacapo" in sys.modules:
        from dacapo.simulation import network_guard  # noqa: PLC0415 - don't import it just to check

        if network_guard.is_offline():
            return f"dacapo took it offline, because {network_guard.NETWORK_VARIABLE} is not allow"
    key = os.environ.get("AWS_ACCESS_KEY_ID")
    if key is not None and len(key) < MIN_ACCESS_KEY_LENGTH:
        return f"AWS_ACCESS_KEY_ID is {key!r}, which is a dummy"
    return None


@pytest.fixture(scope="session")
def stacks() -> Iterator[Stacks]:
    """Provide the deployed stacks of the patterns."""
    if why := _why_offline():
        pytest.fail(OFFLINE.format(why=why), pytrace=False)
    if boto3.Session().region_name is None:
        pytest.fail("no region: set AWS_DEFAULT_REGION, or a profile with a region", pytrace=False)
    name = os.environ[STACK_VARIABLE]
    deployed, why = None, ""
    try:
        deployed = Stacks(name)
    except (BotoCoreError, ClientError) as error:
        why = str(error)
    if deployed is None:
        pytest.fail(f"can't read the stack {name}: {why}", pytrace=False)
    yield deployed
    deployed.close()


@pytest.fixture
def executions(stack: Stack) -> Iterator[Executions]:
    """Start executions of the pattern that a module's fixture `stack` names, and end them."""
    of_this_test = Executions(stack)
    try:
        yield of_this_test
    finally:
        of_this_test.end()
