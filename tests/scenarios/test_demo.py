"""The demo: the first thing that a newcomer sees."""

from __future__ import annotations

import re

import pytest

from scenarios import demo


@pytest.fixture(params=[80, 120])
def printed(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    monkeypatch.setenv("COLUMNS", str(request.param))
    demo.main()
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= request.param
    return out


def test_both_ways_to_wait_are_shown_and_compared(printed: str) -> None:
    assert "polling · finishes  SUCCEEDED  after 6h 02m" in printed
    assert "event_callback · event_on_time  SUCCEEDED  after 6h 00m" in printed
    comparison = printed[printed.index("Side by side") :]
    assert "cost per 1,000 migrations" in comparison


def test_each_request_of_the_vendor_over_http_gets_a_response(printed: str) -> None:
    assert "webhook_callback · answered_eventually  SUCCEEDED  after 2h 00m" in printed
    calls = printed[printed.index("Real HTTP requests") :].splitlines()[1:8]
    assert [re.findall(r" (\d{3}) ", line)[0] for line in calls] == [
        *("200", "401", "200", "400", "200", "200", "409")
    ]


def test_the_commands_at_the_end_are_valid(printed: str) -> None:
    assert ".venv/bin/dacapo run scenarios/event_callback.py:event_lost" in printed
    assert "make test" in printed
