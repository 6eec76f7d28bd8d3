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


def test_both_ways_of_waiting_are_shown_and_compared(printed: str) -> None:
    assert "polling · finishes  SUCCEEDED  after 6h 02m" in printed
    assert "event_callback · event_on_time  SUCCEEDED  after 6h 00m" in printed
    comparison = printed[printed.index("The two beside each other") :]
    assert "a million executions" in comparison


def test_the_third_party_calls_over_http_and_each_call_is_answered(printed: str) -> None:
    assert "webhook_callback · answered_after_all  SUCCEEDED  after 2h 00m" in printed
    calls = printed[printed.index("What came to the URL") :].splitlines()[1:8]
    assert [re.findall(r" (\d{3}) ", line)[0] for line in calls] == [
        *("200", "401", "200", "400", "200", "200", "409")
    ]


def test_the_commands_that_it_ends_with_lead_somewhere(printed: str) -> None:
    assert ".venv/bin/dacapo run scenarios/event_callback.py:event_lost" in printed
    assert "make test" in printed
