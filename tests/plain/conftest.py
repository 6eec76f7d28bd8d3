"""Shared by both tests: a harmless AWS configuration, and a stub for DMS."""

import os
from collections.abc import Iterator

import pytest
from botocore.stub import Stubber

# Importing a pattern creates its clients, so set the region and credentials first.
os.environ.update(
    AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test"
)


@pytest.fixture
def dms() -> Iterator[Stubber]:
    """Stub DMS: each response is used once, in order, so a step that runs twice is noticed."""
    from patterns.migration import task  # noqa: PLC0415 - after the environment is set

    with Stubber(task.dms) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
