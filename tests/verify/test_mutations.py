"""Mutation tests: the verifier detects faults that `mutations` applies to the patterns' handlers.

Correct handlers do not show what a verifier is worth, and neither do faults invented for it to
find. So each mutation operator applies its fault at every possible place of the real handlers, and
this file verifies a few mutants per operator. To verify all of them, run
`python -m tests.verify.test_mutations` (some minutes, prints a table) or set MUTANTS=all.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import logging
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest

from dacapo import Scenario, ScenarioError
from dacapo.verify.findings import Certainty, Code, ExperimentName
from dacapo.verify.verifier import verify
from scenarios import approval, event_callback, polling, webhook_callback
from tests.verify import mutations

SOURCES = Path(__file__).parents[2] / "src"
SCENARIOS = {
    "polling": (polling.finishes, polling.never_ends),
    "event_callback": (event_callback.event_too_soon, event_callback.start_refused),
    "webhook_callback": (webhook_callback.answered_soon, webhook_callback.never_answers),
    "approval": (approval.invalid_answer_once, approval.rejected, approval.nobody_answers),
}
"""Scenarios that together reach every operation of a pattern."""
EXPERIMENTS = (ExperimentName.SINGLE_INVOCATION, ExperimentName.SUSPENDED, ExperimentName.REPLAYED)
"""The fast experiments; what these detect, the slow ones need not detect again."""
FEW = 1
"""Mutants to verify per operator and pattern, unless all are requested."""
SHARE = 0.95

NO_RUN = "no run"
"""The fault shows without a verifier: the scenario can no longer run."""

_READS = frozenset({Code.CLOCK_OUTSIDE_STEP, Code.RANDOMNESS_OUTSIDE_STEP})
NAMED_BY: dict[str, frozenset[Code]] = {
    "drop_a_name": frozenset({Code.UNNAMED_OPERATION}),
    "move_out_of_the_step": _READS | {Code.EFFECT_OUTSIDE_STEP},
    "read_it_outside": _READS,
    "swap_two_operations": _READS,
    "lengthen_a_timeout": _READS,
    "make_a_name_dynamic": _READS,
}
"""Suspicions that name the fault itself; for other operators only a proof counts."""
SURVIVORS: dict[str, str] = {}
"""Mutants that the verifier does not detect, each with the reason why that is correct."""


@dataclass(frozen=True)
class Mutant:
    """A handler's module with one fault."""

    pattern: str
    operator: str
    fault: str
    source: str

    def __str__(self) -> str:
        return f"{self.pattern}, {self.operator}: {self.fault}"


@cache
def mutants_of(pattern: str) -> tuple[Mutant, ...]:
    tree, seen = tree_of(pattern), Counter[str]()
    mutants = []
    for operator in mutations.OPERATORS:
        for fault, mutant in operator(tree):
            seen[fault] += 1
            which = fault if seen[fault] == 1 else f"{fault} ({seen[fault]})"
            source = mutations.source_of(mutant)
            mutants.append(Mutant(pattern, operator.__name__, which, source))
    return tuple(mutants)


def tree_of(pattern: str) -> ast.Module:
    return ast.parse((SOURCES / "patterns" / pattern / "handler.py").read_text())


def every_mutant(patterns: Iterable[str] = SCENARIOS) -> list[Mutant]:
    return [mutant for pattern in patterns for mutant in mutants_of(pattern)]


def selected(patterns: Iterable[str]) -> Iterator[Mutant]:
    """Select a few mutants for every second operator of a pattern; always the same ones."""
    everything = every_mutant(patterns)
    operators = sorted(operator.__name__ for operator in mutations.OPERATORS)
    for key, alike in groupby(everything, lambda m: (m.pattern, m.operator)):
        some, is_all = list(alike), os.environ.get("MUTANTS") == "all"
        pattern, operator = key
        if is_all or (list(SCENARIOS).index(pattern) + operators.index(operator)) % 2 == 0:
            few = len(some) if is_all else FEW
            yield from random.Random(repr(key)).sample(some, min(few, len(some)))


def scenarios_of(pattern: str, source: str, folder: Path) -> list[Scenario]:
    """Return the pattern's scenarios with the handler of this module."""
    name = f"mutant_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    (folder / f"{name}.py").write_text(source)
    importlib.invalidate_caches()
    handler = importlib.import_module(name).handler
    return [replace(s, handler=handler, function_name=s.function) for s in SCENARIOS[pattern]]


def detection(mutant: Mutant, folder: Path) -> str:
    """Return how a mutant is detected: proved, suspected, or because its scenario cannot run."""
    ways = set()
    for scenario in scenarios_of(mutant.pattern, mutant.source, folder):
        ways.add(detection_in(scenario, NAMED_BY.get(mutant.operator, frozenset())))
        if ways & {Certainty.PROVED, Certainty.SUSPECTED}:
            break
    return next((way for way in (Certainty.PROVED, Certainty.SUSPECTED, NO_RUN) if way in ways), "")


def detection_in(scenario: Scenario, names: Collection[Code]) -> str:
    try:
        report = verify(scenario, only=EXPERIMENTS)
    except ScenarioError:
        return NO_RUN
    if report.proved:
        return Certainty.PROVED
    return Certainty.SUSPECTED if any(finding.code in names for finding in report.findings) else ""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Take mutants of one pattern; `make prove` takes all patterns. Making mutants takes long."""
    if "mutant" in metafunc.fixturenames:
        is_thorough = metafunc.config.getoption("--thorough")
        patterns = SCENARIOS if is_thorough else [next(iter(SCENARIOS))]
        metafunc.parametrize("mutant", list(selected(patterns)), ids=str)


@pytest.mark.usefixtures("thorough")
@pytest.mark.prove
def test_a_mutant_is_detected(
    mutant: Mutant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    assert bool(detection(mutant, tmp_path)) is (str(mutant) not in SURVIVORS)


@pytest.mark.parametrize("pattern", SCENARIOS)
def test_a_handler_that_is_rebuilt_without_a_mutation_has_no_findings(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    scenario, *_ = scenarios_of(pattern, mutations.source_of(tree_of(pattern)), tmp_path)
    report = verify(scenario, only=EXPERIMENTS)
    assert [f for f in report.findings if f.certainty is not Certainty.LINT] == []
    assert report.experiments[ExperimentName.REPLAYED].runs > 1, "nothing was replayed"


@pytest.mark.prove
def test_nearly_all_mutants_are_detected_and_the_others_are_listed() -> None:
    every = [str(mutant) for mutant in every_mutant()]
    assert set(SURVIVORS) <= set(every)
    assert len(SURVIVORS) <= (1 - SHARE) * len(every)


@pytest.mark.prove
def test_every_operator_applies_somewhere_and_no_two_mutants_are_equal() -> None:
    every = every_mutant()
    assert {m.operator for m in every} == {operator.__name__ for operator in mutations.OPERATORS}
    assert len({(m.pattern, m.source) for m in every}) == len(every)
    assert {m.source for m in every}.isdisjoint(
        mutations.source_of(tree_of(pattern)) for pattern in SCENARIOS
    )


def main() -> None:
    """Verify every mutant; print how many are detected, and which are not."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        ways = {mutant: detection(mutant, Path(folder)) for mutant in every_mutant()}
    print("\n".join(lines(ways)))  # noqa: T201


def lines(ways: Mapping[Mutant, str]) -> Iterator[str]:
    """Yield the table, then each mutant that no finding detects."""
    yield " ".join([f"{'detected/all (proved)':24}", *(f"{pattern:>18}" for pattern in SCENARIOS)])
    for operator in [operator.__name__ for operator in mutations.OPERATORS]:
        cells = [cell(ways, operator, pattern) for pattern in SCENARIOS]
        yield " ".join([f"{operator:24}", *(f"{text:>18}" for text in cells)])
    yield cell(ways, "", "")
    for mutant, way in ways.items():
        if way in ("", NO_RUN):
            yield f"{way or 'not detected'}: {mutant}"


def cell(ways: Mapping[Mutant, str], operator: str, pattern: str) -> str:
    these = [
        way
        for mutant, way in ways.items()
        if operator in ("", mutant.operator) and pattern in ("", mutant.pattern)
    ]
    return (
        f"{sum(map(bool, these))}/{len(these)} ({these.count(Certainty.PROVED)})" if these else "-"
    )


if __name__ == "__main__":
    main()
