"""JUnit XML, as test reports of CI services read it: one test case for each execution.

The elements are those of the schema of Jenkins's xUnit plugin (junit-10.xsd), in its order. The
standard library writes it in fewer lines than a library would need to be called.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from dacapo.report.outcome import Case, Cause, Level, Outcome
from dacapo.verify.findings import Verdict

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 can't hold, not even as references."""


def dumps(outcome: Outcome) -> str:
    """Return an outcome as JUnit XML.

    An execution that would break is a failure, and one that could not be checked is an error.
    """
    elements = [_case(case, outcome.target) for case in outcome.cases]
    counts = {
        "tests": str(len(elements)),
        "failures": str(sum(element.find("failure") is not None for element in elements)),
        "errors": str(sum(element.find("error") is not None for element in elements)),
        "skipped": "0",
        "time": "0",
    }
    name = _text(f"dacapo {outcome.command} {outcome.target}")
    suite = ET.Element("testsuite", {"name": name, **counts})
    suite.extend(elements)
    root = ET.Element("testsuites", {"name": "dacapo"})
    root.append(suite)
    ET.indent(root, " ")
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _case(case: Case, target: str) -> ET.Element:
    names = {"classname": _text(target), "name": _text(case.name), "time": "0"}
    element = ET.Element("testcase", names)
    if not case.is_good:
        element.append(_problem(case))
    rest = [cause for cause in case.causes if cause.level is not Level.ERROR]
    if rest:
        ET.SubElement(element, "system-out").text = _text("\n".join(map(_line, rest)))
    return element


def _problem(case: Case) -> ET.Element:
    errors = [cause for cause in case.causes if cause.level is Level.ERROR]
    kind = errors[0].code if errors else case.verdict.value
    message = errors[0].message if errors else case.verdict.value
    tag = "error" if case.verdict is Verdict.NOT_VERIFIED else "failure"
    element = ET.Element(tag, {"type": _text(kind), "message": _text(message)})
    element.text = _text("\n".join([f"verdict: {case.verdict}", *map(_line, errors)]))
    return element


def _line(cause: Cause) -> str:
    where = f"{cause.place}: " if cause.place else ""
    fix = f"\n  fix: {cause.fix}" if cause.fix else ""
    return f"{where}{cause.level}: {cause.code}: {cause.message}{fix}"


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
