"""What both tests need: somewhere harmless for clients to point, and a task that DMS describes."""

import os
from collections.abc import Iterator

import pytest
from botocore.stub import Stubber

# Clients are made when a pattern is imported, so region and credentials must be there before.
os.environ.update(
    AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test"
)


@pytest.fixture
def dms() -> Iterator[Stubber]:
    """A stub answers each call once, in order: a step that ran again would be noticed."""
    from patterns.migration import task  # noqa: PLC0415 - after the environment

    with Stubber(task.dms) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
