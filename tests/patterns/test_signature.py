"""Timestamps are fresh for five minutes, either way and inclusive, in whole seconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns.webhook_callback import signature

NOW = 1_767_225_600
KEY = "a key, which is as long as a key must be"
MOMENTS = st.floats(1, 10**10, allow_nan=False)


def timestamp_of(signed_at: float) -> str:
    return signature.headers(KEY, "POST", "/", signed_at, b"")[signature.TIMESTAMP_HEADER]


@pytest.mark.parametrize("fraction", [0, 0.001, 0.5, 0.999])
@pytest.mark.parametrize(
    ("skew", "is_fresh"),
    [(0, True), (299, True), (300, True), (301, False), (-299, True), (-300, True), (-301, False)],
)
def test_the_window_is_five_minutes_either_way_at_any_fraction_of_a_second(
    fraction: float, skew: int, is_fresh: bool
) -> None:
    assert signature.is_fresh(str(NOW + skew), NOW + fraction) == is_fresh


@given(MOMENTS, st.floats(-300, 300))
def test_every_request_that_is_at_most_five_minutes_old_or_ahead_is_fresh(
    now: float, skew: float
) -> None:
    signed_at = max(0.0, now + skew)
    assert signature.is_fresh(timestamp_of(signed_at), now)


@given(MOMENTS, st.floats(301, 10**6), st.sampled_from([-1, 1]))
def test_no_request_that_is_more_than_five_minutes_and_a_second_away_is_fresh(
    now: float, skew: float, direction: int
) -> None:
    signed_at = now + direction * skew
    if signed_at >= 0:
        assert not signature.is_fresh(timestamp_of(signed_at), now) or abs(signed_at - now) < 301


@pytest.mark.parametrize("timestamp", ["", "-1", "1e3", "1.5", " 1", "²", "1" * 13, "١٢٣"])
def test_a_timestamp_that_is_not_whole_seconds_in_digits_is_not_fresh(timestamp: str) -> None:
    assert not signature.is_fresh(timestamp, 1)
