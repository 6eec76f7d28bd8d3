"""JUnit XML, as test reports of CI services read it: one test case for each execution.

The elements are those of the schema of Jenkins's xUnit plugin (junit-10.xsd), in its order. The
standard library writes it in fewer lines than a library would need to be called.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from dacapo.report.outcome import Case, Cause, Level, Outcome
from dacapo.verify.findings import Verdict

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 can't hold, not even as references."""


def dumps(outcome: Outcome) -> str:
    """Return an outcome as JUnit XML, with a suite for each target.

    An execution that does not survive is a failure, and one that could not be checked is an error.
    """
    root = ET.Element("testsuites", {"name": f"dacapo {outcome.command}"})
    for target in dict.fromkeys(case.target for case in outcome.cases):
        root.append(_suite(target, [case for case in outcome.cases if case.target == target]))
    ET.indent(root, " ")
    return ET.tostring(root, encoding="unicode") + "\n"


def _suite(target: str, cases: Sequence[Case]) -> ET.Element:
    elements = [_case(case) for case in cases]
    counts = {
        "tests": str(len(elements)),
        "failures": str(sum(element.find("failure") is not None for element in elements)),
        "errors": str(sum(element.find("error") is not None for element in elements)),
        "skipped": "0",
        "time": "0",
    }
    suite = ET.Element("testsuite", {"name": _text(target), **counts})
    suite.extend(elements)
    return suite


def _case(case: Case) -> ET.Element:
    names = {"classname": _text(case.target), "name": _text(case.name), "time": "0"}
    element = ET.Element("testcase", names)
    if not case.is_good:
        element.append(_problem(case))
    rest = [cause for cause in case.causes if case.is_good or cause.level is not Level.ERROR]
    if rest:
        ET.SubElement(element, "system-out").text = _text("\n".join(map(_line, rest)))
    return element


def _problem(case: Case) -> ET.Element:
    # A cause that breaks others is an error, but may leave this one safe on its own version.
    worst = case.causes[0] if case.causes else None
    kind, message = (worst.code, worst.message) if worst else (case.verdict, case.verdict)
    tag = "error" if case.verdict is Verdict.NOT_VERIFIED else "failure"
    element = ET.Element(tag, {"type": _text(kind), "message": _text(message)})
    lines = [_line(cause) for cause in case.causes if cause is worst or cause.level is Level.ERROR]
    element.text = _text("\n".join([f"verdict: {case.verdict}", *lines]))
    return element


def _line(cause: Cause) -> str:
    where = f"{cause.place}: " if cause.place else ""
    fixes = "".join(f"\n  fix: {fix}" for fix in cause.fixes)
    return f"{where}{cause.level}: {cause.code}: {cause.message}{fixes}"


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
