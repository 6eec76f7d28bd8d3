"""A corpus in the style of production code: every mistake is found, and nothing else is accused.

`corpus` holds the handlers. Each test verifies one of them as a user would; other tests check,
without the verifier, that the handlers do what their cases claim. `make test` verifies a share,
`make prove` all.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import dacapo
from dacapo.verify.findings import Finding, Report
from dacapo.verify.verifier import verify
from tests.command_line import dacapo as command
from tests.depth import every
from tests.verify.corpus.case import HERE, Case, causes, marked_names
from tests.verify.corpus.fakes import LEFTOVER
from tests.verify.corpus.registry import BAD, BY_NAME, CASES, CONTROLS, CORRECT

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "verify.md"
SHARE = 0.1
"""The share of bad handlers whose first finding may be at another line than the cause."""

OTHER_LINE: dict[str, str] = {
    "thumbnails": "it returns in two ways, so the line that starts the operation is named",
    "unpack_archive": "the line before is named: the recorded folder is used there",
}
"""Bad handlers whose first finding does not name the causing line, each with the reason."""

TWINS = {
    "checkout": "checkout_recorded",
    "claim_review": "claim_review_recorded",
    "payroll": "payroll_recorded",
    "chunked_import": "chunked_import_recorded",
    "trip": "trip_recorded",
    "stock_count": "stock_count_recorded",
    "render_job": "render_job_recorded",
    "tenant_report": "tenant_report_recorded",
    "robust_import": "robust_import_narrow",
    "signature": "signature_expires",
}
"""Bad handlers whose result is wrong in a plain run already: that of the correction differs."""
NOT_REPLAYED = {
    "permissions",
    "permissions_in_order",
    "credit_check",
    "robust_import",
    "quiet_cleanup",
}
"""Cases that end in one invocation: nothing waits, or the mistake makes the wait vanish."""
BY_SEED = ("reminders", "permissions", "price_check", "experiment_group", "dispatch")
NOT_BY_SEED = ("reminders_sorted", "permissions_in_order", "experiment_group_stable", "vote")

_OPERATIONS = """
import json, sys, dacapo
from tests.verify.corpus.registry import BY_NAME

def trace(name):
    operations = dacapo.run(BY_NAME[name].scenario).operations
    return [(o.path, str(o.result)) for o in operations]

print(json.dumps({name: trace(name) for name in sys.argv[1:]}))
"""


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    """Remove the file that one of the worlds leaves behind."""
    yield
    LEFTOVER.unlink(missing_ok=True)


def place_of(finding: Finding) -> tuple[str, int] | None:
    return (finding.place.file, finding.place.line) if finding.place else None


def described(report: Report) -> list[str]:
    return [f"{f.certainty}: {f.code} at {f.place}: {f.message}" for f in report.findings]


# -- the verifier ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", every(0, BAD, proved=12), ids=str)
def test_the_first_finding_of_a_bad_handler_names_the_mistake_and_its_line(case: Case) -> None:
    report = verify(case.scenario, processes=1)
    assert report.findings, "the mistake was not found"
    first = report.findings[0]
    assert first.code in case.codes, described(report)
    assert first.certainty == case.certainty, described(report)
    assert (place_of(first) in causes(case.name)) is (case.name not in OTHER_LINE), described(
        report
    )


@pytest.mark.parametrize("case", every(0, CORRECT, proved=12), ids=str)
def test_nothing_is_proved_against_a_correct_handler(case: Case) -> None:
    report = verify(case.scenario, processes=1)
    assert report.proved == [], described(report)
    assert report.verdict == "survives", report.reasons
    suspected = {str(f.code) for f in report.findings if f.certainty == "suspected"}
    assert suspected <= case.may_be_suspected, described(report)


@pytest.mark.prove
@pytest.mark.parametrize("case", every(len(CONTROLS), CONTROLS), ids=str)
def test_nothing_is_proved_if_two_equal_runs_differ(case: Case) -> None:
    report = verify(case.scenario, processes=1)
    assert report.proved == [], described(report)
    assert report.control


@pytest.mark.prove
@pytest.mark.parametrize("case", every(9, [*CONTROLS[:2], *BAD[::18], *CORRECT[::18]]), ids=str)
def test_the_exit_status_says_what_is_proved_and_what_is_not_verified(case: Case) -> None:
    done = command("verify", f"tests.verify.corpus.registry:{case.name}")
    assert done.returncode == case.exit_status, done.stdout + done.stderr


def test_the_first_findings_of_few_bad_handlers_are_at_another_line() -> None:
    assert OTHER_LINE.keys() <= {case.name for case in BAD}
    assert len(OTHER_LINE) <= SHARE * len(BAD)


# -- without the verifier --------------------------------------------------------------------------


@pytest.mark.parametrize("case", every(12, CASES), ids=str)
def test_the_body_of_a_case_runs_more_than_once(case: Case) -> None:
    recording = dacapo.run(case.scenario)
    assert (len(recording.invocations) > 1) is (case.name not in NOT_REPLAYED)
    assert recording.operations


@pytest.mark.parametrize("case", every(12, CORRECT), ids=str)
def test_a_correct_handler_ends_as_it_should(case: Case) -> None:
    recording = dacapo.run(case.scenario)
    is_failing = case.kind == "expected failure"
    assert recording.status == ("FAILED" if is_failing else "SUCCEEDED"), recording.error


@pytest.mark.parametrize("name", every(5, TWINS))
def test_the_mistake_changes_the_result(name: str) -> None:
    results = [dacapo.run(BY_NAME[one].scenario).result for one in (name, TWINS[name])]
    assert results[0] != results[1]


@pytest.mark.prove
def test_handlers_that_depend_on_the_hash_seed_differ_between_processes() -> None:
    some, other, more = (operations_under(seed) for seed in ("1", "2", "3"))
    assert [n for n in BY_SEED if some[n] == other[n] == more[n]] == []
    assert [n for n in NOT_BY_SEED if not some[n] == other[n] == more[n]] == []


def operations_under(seed: str) -> dict[str, list[str]]:
    """Run the handlers about hash seeds in a process with this one."""
    done = subprocess.run(
        [sys.executable, "-c", _OPERATIONS, *BY_SEED, *NOT_BY_SEED],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    traces: dict[str, list[str]] = json.loads(done.stdout)
    return traces


# -- the corpus ------------------------------------------------------------------------------------


def test_the_names_of_the_cases_are_unique_and_each_kind_has_its_own_sort() -> None:
    assert [name for name, times in Counter(c.name for c in CASES).items() if times > 1] == []
    bad, correct = {case.kind for case in BAD}, {case.kind for case in CORRECT}
    assert bad.isdisjoint(correct)


def test_every_bad_handler_has_a_causing_line_and_every_mark_a_bad_handler() -> None:
    assert marked_names() == {case.name for case in BAD}


def test_every_mark_is_on_a_line_of_code() -> None:
    marked = [place for case in BAD for place in causes(case.name)]
    texts = [Path(file).read_text().splitlines()[line - 1].strip() for file, line in marked]
    assert [text for text in texts if text.startswith((")", "]", "}", "#"))] == []


def test_the_corpus_is_as_large_as_the_page_says() -> None:
    assert len(BAD) >= 40
    assert len(CORRECT) >= 30


# -- the page about them ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A row of a table: a kind, the cells in between, and its handlers by the file they are in."""

    kind: str
    middle: tuple[str, ...]
    handlers: dict[str, str]


def rows() -> Iterator[Row]:
    for line in PAGE.read_text().splitlines():
        if line.startswith("| ") and not line.startswith(("| kind", "| ---")):
            kind, *middle, last = (cell.strip() for cell in line.strip("|").split(" | "))
            handlers = dict(re.findall(r"\[`(\w+)`\]\(\.\./tests/verify/corpus/(\w+\.py)\)", last))
            yield Row(kind, tuple(middle), handlers)


def test_the_page_has_one_row_for_every_kind() -> None:
    assert sorted(row.kind for row in rows()) == sorted({case.kind for case in CASES})


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: row.kind)
def test_a_row_names_handlers_of_its_kind_and_their_certainty(row: Row) -> None:
    assert row.handlers, "no handler shows this"
    for name, file in row.handlers.items():
        assert BY_NAME[name].kind == row.kind
        assert re.search(rf"^(def {name}\(|{name} = )", (HERE / file).read_text(), re.MULTILINE)
    certainties = {case.certainty for case in BAD if case.kind == row.kind}
    assert set(row.middle[-1].split(", ")) == certainties or not certainties
