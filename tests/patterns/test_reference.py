"""A reference is stable for one wait and different for every other."""

from __future__ import annotations

from itertools import combinations

from moto import mock_aws

from patterns.callbacks.reference import Purpose, derive, is_well_formed, row_name
from scenarios.worlds.registry import reference_key

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f:1/durable-execution/a/b"


def test_each_wait_has_a_stable_reference_of_its_own() -> None:
    with mock_aws(), reference_key():
        waits = [
            (Purpose.WEBHOOK, ARN, "transcript"),
            (Purpose.APPROVAL, ARN, "transcript"),
            (Purpose.WEBHOOK, f"{ARN}c", "transcript"),
            (Purpose.WEBHOOK, ARN, "another"),
        ]
        references = [derive(*wait) for wait in waits]
        assert references == [derive(*wait) for wait in waits]
        for one, other in combinations(references, 2):
            assert one != other


def test_a_reference_is_safe_in_a_url() -> None:
    with mock_aws(), reference_key():
        assert is_well_formed(derive(Purpose.WEBHOOK, ARN, "transcript"))
    for malformed in ("", "x" * 42, "x" * 44, "x" * 42 + "/", "é" * 43, "x" * 43 + "\n"):
        assert not is_well_formed(malformed)


def test_the_stored_name_hides_the_reference_and_differs_by_purpose() -> None:
    reference = "r" * 43
    names = {row_name(purpose, reference) for purpose in Purpose}
    assert len(names) == len(Purpose)
    assert not any(reference in name for name in names)
