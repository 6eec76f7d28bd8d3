"""The page as HTML: whole, without the network, and safe for any text in it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from dacapo import Certainty, Code, ExperimentName, Finding, run
from dacapo.process.source_lines import Place
from dacapo.report.page.build import execution_of, page_from, with_findings
from dacapo.report.page.html import embedded, html_of
from dacapo.report.page.model import Page, without_payloads
from dacapo.report.page.passes import Watched, watch
from dacapo.report.text import visible
from dacapo.service.execution import ExecutionStatus
from tests.page import handlers
from tests.page.handlers import HOSTILE, SECRET, line_of
from tests.page.written import Tags, model_in

MOST_BYTES = 200_000
"""A page without data; the issue of a page is its data, not what draws it."""


@pytest.fixture(scope="module")
def page() -> Page:
    return page_from([execution_of(watch(handlers.hostile))])


@pytest.fixture(scope="module")
def asked() -> Page:
    return page_from([execution_of(watch(handlers.asked))])


def test_a_page_is_one_file_that_loads_nothing(asked: Page) -> None:
    text = html_of(asked)
    tags = Tags(text)
    assert tags.addresses == ["#theatre"], "a link within the page, and nothing else"
    assert not {"link", "img", "iframe", "object"} & set(tags.names)
    assert "default-src 'none'" in text
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|innerHTML|eval\(", text)
    assert len(text.encode()) < MOST_BYTES


def test_the_model_in_a_page_is_the_model(asked: Page) -> None:
    assert model_in(html_of(asked)) == json.loads(json.dumps(asked.to_json()))


def test_a_payload_cannot_become_an_element(page: Page) -> None:
    text = html_of(page)
    harmless = html_of(page_from([execution_of(watch(handlers.asked))]))
    assert Tags(text).names.count("script") == Tags(harmless).names.count("script") == 2
    assert "alert(1)</script>" not in text
    assert "<!-- " not in text
    (execution,) = model_in(text)["executions"]
    assert json.loads(execution["input"]) == HOSTILE, "the model holds it as it is"
    assert HOSTILE in [one["result"] for one in execution["operations"]]


@pytest.mark.parametrize("sign", ["\x1b", "\u202e", "\u2066", "\u2028", "\x9b", "\u200b", "\ud800"])
def test_what_steers_or_turns_text_is_shown_as_a_sign(sign: str) -> None:
    shown = visible(f"a{sign}b")
    assert sign not in shown
    assert shown.startswith("a")
    assert shown.endswith("b")
    assert len(shown) > 2
    assert visible("tab\tand\nline, ünï") == "tab\tand\nline, ünï"


@pytest.mark.parametrize("value", ["</script>", "<!--", "]]>", "\u2028", "&lt;", "\ud800", 'a"b'])
def test_embedded_json_holds_no_sign_that_ends_an_element(value: str) -> None:
    text = embedded({"value": value})
    assert not set("<>&\u2028\u2029") & set(text)
    text.encode()
    if "\ud800" not in value:
        assert json.loads(text) == {"value": value}


def test_the_head_of_a_page_shows_marks_instead_of_obeying_them(page: Page) -> None:
    text = html_of(page)
    head = text.partition('<script type="application/json"')[0]
    assert "\x1b" not in text
    assert "\u202e" not in head
    assert "␛[31mred" in head
    assert "‹U+202E›evil" in head


def test_a_page_without_payloads_holds_no_secret(asked: Page) -> None:
    callback = run(handlers.asked).operation("decision").stored.callback_details
    assert callback is not None
    full, bare = html_of(asked), html_of(without_payloads(asked))
    assert SECRET in full
    assert callback.callback_id in full, "the mail said it"
    assert SECRET not in bare
    assert callback.callback_id not in bare
    assert "Payloads were removed." in bare


def test_a_finding_is_at_its_line_or_above_the_timeline(asked: Page) -> None:
    execution = asked.executions[0]
    places = [Place(handlers.__file__, line_of("mail:Send")), Place("elsewhere.py", 1), None]
    findings = [
        Finding(Code.EFFECT_OUTSIDE_STEP, Certainty.PROVED, "<b>", ExperimentName.REPLAYED, place)
        for place in places
    ]
    page = page_from([with_findings(execution, findings)])
    in_place, *others = page.executions[0].findings
    assert (in_place.line, [one.line for one in others]) == (line_of("mail:Send"), [None, None])
    text = html_of(page, intro="Look & see")
    head = text.partition('id="timeline"')[0]
    assert "Look &amp; see" in head
    assert head.count("proved: effect-outside-step: &lt;b&gt;") == 3
    assert head.count("Fix: ") == 2, "those that have no line here say everything there"
    bare = without_payloads(page).executions[0].findings[0]
    assert (bare.message, bare.code) == (None, "effect-outside-step")


def test_two_executions_are_named_and_said_to_part() -> None:
    one, other = (
        execution_of(watch(scenario), label=label)
        for scenario, label in ((handlers.asked, "broken"), (handlers.looped, "fixed"))
    )
    text = html_of(page_from([one, other]))
    assert "They part in invocation 1: only broken has &#39;decision&#39;." in text
    again = html_of(page_from([one, one]))
    assert "They agree" in again


def test_an_execution_in_flight_says_what_it_waits_for() -> None:
    recording = run(handlers.asked)
    assert recording.operations[0].name == "decision"
    flying = replace(
        recording,
        events=recording.events[:3],
        operations=recording.operations[:1],
        ended=None,
        status=ExecutionStatus.RUNNING,
    )
    text = html_of(page_from([execution_of(Watched(flying), "export")]))
    assert "It has waited for &#39;decision&#39; since Thu, 1 Jan 2026, 00:00:00 UTC, " in text
    assert "and times out on Fri, 2 Jan 2026, 00:00:00 UTC, 1 d later" in text
    assert "2 h so far" in text


def test_an_execution_without_events_has_a_page() -> None:
    recording: Any = run(handlers.asked)
    recording.events.clear()
    recording.operations.clear()
    recording.invocations.clear()
    assert "0 operations" in html_of(page_from([execution_of(Watched(recording))]))
