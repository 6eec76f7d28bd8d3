"""Reports for other programs: JUnit, SARIF, and GitHub's annotations."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from dacapo import Code, Finding, Verdict
from dacapo.process.source_lines import Place
from dacapo.report import github, junit, outcome, sarif
from dacapo.report.outcome import Case, Cause, Level, Outcome
from dacapo.verify.deploy_check.results import CheckResult
from dacapo.verify.findings import Certainty, Ending, ExperimentName

TARGET = "tests.lab.handlers:steps"
HANDLER = Place(str(Path.cwd() / "src/orders/handler.py"), 12)
LINE = Place(str(Path.cwd() / "src/orders/my steps.py"), 34)
NASTY = "it has a\nline, a %, a : and <&\"'> and \x00\x1b and \ud800 ::set-env::"


def finding(code: Code, certainty: Certainty, message: str, place: Place | None) -> Finding:
    return Finding(code, certainty, message, ExperimentName.REPLAYED, place)


def result(name: str, *findings: Finding, **parts: Any) -> CheckResult:
    return CheckResult(name, 3, list(findings), target=TARGET, **parts)


RENAMED = finding(Code.DIFFERENT_OPERATION, Certainty.PROVED, "step 'pay' is now 'charge'", LINE)
SUSPECTED = finding(Code.DIFFERENT_WAIT, Certainty.SUSPECTED, "it waits longer", LINE)
UNNAMED = finding(Code.UNNAMED_OPERATION, Certainty.LINT, "2 operations have no name", None)
MISSING = Ending("FAILED", "KeyError", "'TABLE'", HANDLER)
RESULTS = [
    *(result(f"histories/{n}.json", RENAMED, SUSPECTED) for n in range(30)),
    result("histories/safe.json", UNNAMED),
    result("histories/unknown.json", failure=MISSING),
    result("histories/old.json", RENAMED, version="7"),
    result("histories/" + NASTY, finding(Code.DIED, Certainty.PROVED, NASTY, None)),
]
CHECKED = outcome.of_checks(RESULTS, 1)


def test_a_cause_that_many_executions_show_is_one_with_a_count() -> None:
    counts = {cause.code: len(cause.cases) for cause in CHECKED.causes}
    assert counts == {
        "different-operation": 31,
        "different-wait": 30,
        "died": 1,
        "not-verified": 1,
        "unnamed-operation": 1,
    }
    levels = [cause.level for cause in CHECKED.causes]
    assert levels == sorted(levels, key=list(Level).index)
    assert CHECKED.causes[0].title == "different-operation in 31 executions"


def test_the_summary_counts_the_executions_that_survive() -> None:
    assert (
        CHECKED.summary
        == "1 of 34 executions survive, 1 are safe only on their own version, 1 are not verified"
    )


def test_what_breaks_only_executions_that_keep_their_version_is_a_warning() -> None:
    drained = outcome.of_checks([result("old.json", RENAMED, version="7")], 1)
    (cause,) = drained.causes
    assert (cause.code, cause.level) == ("different-operation", Level.WARNING)
    assert cause.message.startswith("safe only on their own version: step 'pay'")
    assert "version 7" in cause.fixes[0]
    failure = ET.fromstring(junit.dumps(drained)).find("./testsuite/testcase/failure")
    assert failure is not None
    assert str(failure.text).startswith("verdict: drains\n")


# -- JUnit ------------------------------------------------------------------------------------

ATTRIBUTES = {
    "testsuites": ({"name"}, {"time", "tests", "failures", "errors"}),
    "testsuite": ({"name", "tests", "failures", "errors"}, {"time", "skipped"}),
    "testcase": ({"name"}, {"time", "classname"}),
    "failure": (set(), {"type", "message"}),
    "error": (set(), {"type", "message"}),
    "system-out": (set(), set()),
}
"""Of the elements of junit-10.xsd that are used: attributes that it requires, and allows."""
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error", "system-out"},
}


def parsed() -> ET.Element:
    return ET.fromstring(junit.dumps(CHECKED))


def test_junit_has_the_elements_and_attributes_of_the_schema() -> None:
    seen = Counter[str]()
    for element in parsed().iter():
        required, allowed = ATTRIBUTES[element.tag]
        assert required <= set(element.attrib) <= required | allowed
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
        seen[element.tag] += 1
    assert set(seen) == set(ATTRIBUTES)


def test_junit_has_a_case_for_each_execution_and_counts_them() -> None:
    (suite,) = parsed()
    cases = {case.attrib["name"]: case for case in suite}
    assert suite.attrib["tests"] == str(len(RESULTS)) == str(len(cases))
    assert (suite.attrib["failures"], suite.attrib["errors"]) == ("32", "1")
    assert [child.tag for child in cases["histories/0.json"]] == ["failure", "system-out"]
    assert [child.tag for child in cases["histories/safe.json"]] == ["system-out"]
    assert [child.tag for child in cases["histories/unknown.json"]] == ["error"]


def test_junit_says_where_and_how_to_mend_it() -> None:
    failure = parsed().find("./testsuite/testcase/failure")
    assert failure is not None
    assert failure.attrib["type"] == "different-operation"
    assert failure.attrib["message"] == RENAMED.message
    assert "src/orders/my steps.py:34: error: different-operation" in str(failure.text)
    assert "\n  fix: keep the old path" in str(failure.text)


def test_junit_keeps_text_that_xml_cannot_hold_readable() -> None:
    (suite,) = parsed()
    last = suite[-1].find("failure")
    assert last is not None
    assert last.attrib["message"] == re.sub("[\x00\x1b\ud800]", "\N{REPLACEMENT CHARACTER}", NASTY)


# -- SARIF ------------------------------------------------------------------------------------


def logged(checked: Outcome = CHECKED) -> Any:
    (run,) = json.loads(sarif.dumps(checked))["runs"]
    return run


def test_sarif_has_a_result_for_each_cause_with_its_level_and_count() -> None:
    results = logged()["results"]
    assert [(r["ruleId"], r["level"], r["occurrenceCount"]) for r in results] == [
        ("different-operation", "error", 31),
        ("not-verified", "error", 1),
        ("died", "error", 1),
        ("different-wait", "warning", 30),
        ("unnamed-operation", "note", 1),
    ]
    assert len(results[0]["properties"]["executions"]) == sarif.MOST_NAMES < 30


def test_sarif_describes_every_rule_that_a_result_names() -> None:
    run = logged()
    rules = run["tool"]["driver"]["rules"]
    for each in run["results"]:
        assert rules[each["ruleIndex"]]["id"] == each["ruleId"]
        assert rules[each["ruleIndex"]]["shortDescription"]["text"]


def test_sarif_has_paths_from_the_working_directory_and_a_line_for_every_cause() -> None:
    places = [each["locations"][0]["physicalLocation"] for each in logged()["results"]]
    uris = {place["artifactLocation"]["uri"] for place in places}
    # A cause without a line is at the beginning of the handler's file.
    assert uris == {"src/orders/my%20steps.py", "src/orders/handler.py", "tests/lab/handlers.py"}
    assert places[-1]["region"] == {"startLine": 1}


def test_a_function_of_pyproject_has_its_handlers_file() -> None:
    named = [CheckResult("a.json", 1, [UNNAMED], target="orders")]
    (without,) = outcome.of_checks(named, 0).causes
    (cause,) = outcome.of_checks(named, 0, {"orders": "tests/lab/handlers.py:steps"}).causes
    assert (without.place, str(cause.place)) == (None, "tests/lab/handlers.py:1")


def test_sarif_has_an_absolute_path_for_a_file_elsewhere() -> None:
    place = Place("/opt/shared/handler.py", 1)
    cause = Cause("died", Level.ERROR, "died", place=place)
    (each,) = logged(Outcome("check", 1, [], [cause]))["results"]
    location = each["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": "file:///opt/shared/handler.py"}


def test_a_cause_keeps_its_fingerprint_when_lines_and_counts_change() -> None:
    def fingerprint(line: int, message: str) -> str:
        place = Place(LINE.file, line)
        cause = Cause("died", Level.ERROR, message, "x", place, ("a",) * line)
        (each,) = logged(Outcome("check", 1, [], [cause]))["results"]
        return str(each["partialFingerprints"]["dacapoCause/v1"])

    assert fingerprint(3, "after 2 steps") == fingerprint(4, "after 7 steps")
    assert fingerprint(3, "after 2 steps") != fingerprint(3, "after 2 waits")


# -- GitHub -----------------------------------------------------------------------------------


def test_github_has_one_annotation_for_each_cause_and_a_summary() -> None:
    lines = github.dumps(CHECKED).splitlines()
    commands = Counter(re.match(r"::(\w+)", line)[1] for line in lines)  # type: ignore[index]
    assert commands == {"error": 3, "warning": 1, "notice": 2}
    assert lines[0].startswith(
        "::error file=src/orders/my steps.py,line=34,title=different-operation in 31 executions::"
        "step 'pay' is now 'charge'%0Afix: "
    )
    assert lines[-1] == f"::notice title=dacapo check::{CHECKED.summary}"


def test_nothing_in_a_message_can_begin_another_command_of_github() -> None:
    nasty = [line for line in github.dumps(CHECKED).splitlines() if "set-env" in line]
    (line,) = nasty
    assert line.startswith("::error file=tests/lab/handlers.py,line=1,title=died::it has a%0Aline,")
    assert "a %25, a : and" in line
    title = Cause("died", Level.ERROR, "x", place=Place("a,b:c\r\n.py", 1))
    (line, _) = github.dumps(Outcome("check", 1, [], [title])).splitlines()
    assert line.startswith("::error file=a%2Cb%3Ac%0A.py,line=1,title=died::x")


# -- all --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [junit, sarif, github])
def test_nothing_wrong_is_a_report_without_problems(form: Any) -> None:
    good = Outcome("check", 0, [Case("a", "x", Verdict.SURVIVES)], [])
    text = form.dumps(good)
    assert "error::" not in text
    assert not re.search(r"<(failure|error)", text)
    assert text.endswith("\n")


@pytest.mark.parametrize("form", [junit, sarif, github])
def test_no_report_has_a_path_of_this_machine(form: Any) -> None:
    assert "src/orders/my" in form.dumps(CHECKED)
    assert str(Path.cwd()) not in form.dumps(CHECKED)
