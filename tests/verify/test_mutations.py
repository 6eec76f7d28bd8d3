"""The verifier finds the faults that are put into the patterns' handlers by rule.

What it is worth cannot be told from handlers that are right, nor from faults that were thought up
to be found. So faults are made at every place of the real handlers where an operator applies
(`mutations`), and a few of each kind are verified here. All of them, with a table:
`python -m tests.verify.test_mutations`, in some minutes; or `MUTANTS=all pytest` this file.
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
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest

from dacapo import Scenario, ScenarioError
from dacapo.verify.experiments import INTERRUPTED, REWOUND, UNINTERRUPTED
from dacapo.verify.findings import PROVED, SUSPECTED, Code
from dacapo.verify.verifier import verify
from scenarios import approval, event_callback, polling, webhook_callback
from tests.verify import mutations

SOURCES = Path(__file__).parents[2] / "src"
STORIES = {
    "polling": (polling.finishes, polling.never_ends),
    "event_callback": (event_callback.event_too_soon, event_callback.start_refused),
    "webhook_callback": (webhook_callback.answered_soon, webhook_callback.never_answers),
    "approval": (approval.answered_with_nonsense_once, approval.rejected, approval.nobody_answers),
}
"""Stories that together reach every operation of a pattern."""
EXPERIMENTS = (UNINTERRUPTED, INTERRUPTED, REWOUND)
"""Those that take a moment. What they find, the others need not."""
FEW = 1
"""Mutants of each operator and pattern that are tried, unless all are asked for."""
SHARE = 0.95

NO_RUN = "no run"
"""The fault shows by itself: what the story tells cannot happen, as scheduled or interrupted."""

_READS = frozenset({Code.CLOCK_OUTSIDE_STEP, Code.CHANCE_OUTSIDE_STEP})
NAMED_BY: dict[str, frozenset[Code]] = {
    "drop_a_name": frozenset({Code.UNNAMED_OPERATION}),
    "move_out_of_the_step": _READS | {Code.EFFECT_OUTSIDE_STEP},
    "read_it_outside": _READS,
    "swap_two_operations": _READS,
    "lengthen_a_timeout": _READS,
    "make_a_name_dynamic": _READS,
}
"""A suspicion that names what was done; of other operators, nothing but proof counts."""
SURVIVORS: dict[str, str] = {}
"""Mutants that nothing is found in, each with the reason why that is right."""


@dataclass(frozen=True)
class Mutant:
    """A handler's module with one fault."""

    pattern: str
    operator: str
    done: str
    source: str

    def __str__(self) -> str:
        return f"{self.pattern}, {self.operator}: {self.done}"


@cache
def mutants_of(pattern: str) -> tuple[Mutant, ...]:
    tree, seen = tree_of(pattern), Counter[str]()
    made = []
    for operator in mutations.OPERATORS:
        for done, mutant in operator(tree):
            seen[done] += 1
            which = done if seen[done] == 1 else f"{done} ({seen[done]})"
            source = mutations.source_of(mutant)
            made.append(Mutant(pattern, operator.__name__, which, source))
    return tuple(made)


def tree_of(pattern: str) -> ast.Module:
    return ast.parse((SOURCES / "patterns" / pattern / "handler.py").read_text())


def every_mutant() -> list[Mutant]:
    return [mutant for pattern in STORIES for mutant in mutants_of(pattern)]


def chosen() -> Iterator[Mutant]:
    """A few of each operator, with every second pattern; the same ones every time."""
    everything = every_mutant()
    operators = sorted({mutant.operator for mutant in everything})
    for key, alike in groupby(everything, lambda m: (m.pattern, m.operator)):
        some, is_all = list(alike), os.environ.get("MUTANTS") == "all"
        pattern, operator = key
        if is_all or (list(STORIES).index(pattern) + operators.index(operator)) % 2 == 0:
            few = len(some) if is_all else FEW
            yield from random.Random(repr(key)).sample(some, min(few, len(some)))


def stories_of(pattern: str, source: str, folder: Path) -> list[Scenario]:
    """The pattern's stories, with the handler of this module."""
    name = f"mutant_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    (folder / f"{name}.py").write_text(source)
    importlib.invalidate_caches()
    handler = importlib.import_module(name).handler
    stories = STORIES[pattern]
    return [replace(s, handler=handler, function_name=s.function) for s in stories]


def found(mutant: Mutant, folder: Path) -> str:
    """How a mutant is found: proved, suspected, or by a run that is not possible any more."""
    ways = set()
    for story in stories_of(mutant.pattern, mutant.source, folder):
        ways.add(found_in(story, NAMED_BY.get(mutant.operator, frozenset())))
        if ways & {PROVED, SUSPECTED}:
            break
    return next((way for way in (PROVED, SUSPECTED, NO_RUN) if way in ways), "")


def found_in(story: Scenario, names: Collection[Code]) -> str:
    try:
        report = verify(story, only=EXPERIMENTS)
    except ScenarioError:
        return NO_RUN
    if report.proved:
        return PROVED
    return SUSPECTED if any(finding.code in names for finding in report.findings) else ""


@pytest.mark.parametrize("mutant", list(chosen()), ids=str)
def test_a_mutant_is_found(mutant: Mutant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    assert bool(found(mutant, tmp_path)) is (str(mutant) not in SURVIVORS)


@pytest.mark.parametrize("pattern", STORIES)
def test_in_a_handler_that_went_the_same_way_without_a_mutation_nothing_is_found(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    story, *_ = stories_of(pattern, mutations.source_of(tree_of(pattern)), tmp_path)
    report = verify(story, only=EXPERIMENTS)
    assert report.findings == []
    assert report.experiments[REWOUND].runs > 1, "nothing was replayed"


def test_nearly_all_mutants_are_found_and_the_others_are_known() -> None:
    every = [str(mutant) for mutant in every_mutant()]
    assert set(SURVIVORS) <= set(every)
    assert len(SURVIVORS) <= (1 - SHARE) * len(every)


def test_every_operator_applies_somewhere_and_no_two_mutants_are_the_same() -> None:
    every = every_mutant()
    assert {m.operator for m in every} == {operator.__name__ for operator in mutations.OPERATORS}
    assert len({(m.pattern, m.source) for m in every}) == len(every)
    assert {m.source for m in every}.isdisjoint(
        mutations.source_of(tree_of(pattern)) for pattern in STORIES
    )


def main() -> None:
    """Verify every mutant; print how many are found, and which are not."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        ways = {mutant: found(mutant, Path(folder)) for mutant in every_mutant()}
    print("\n".join(lines(ways)))  # noqa: T201


def lines(ways: Mapping[Mutant, str]) -> Iterator[str]:
    """The table, and each mutant that is not simply found."""
    yield " ".join([f"{'found/all (proved)':24}", *(f"{pattern:>18}" for pattern in STORIES)])
    for operator in [operator.__name__ for operator in mutations.OPERATORS]:
        cells = [cell(ways, operator, pattern) for pattern in STORIES]
        yield " ".join([f"{operator:24}", *(f"{text:>18}" for text in cells)])
    yield cell(ways, "", "")
    for mutant, way in ways.items():
        if way in ("", NO_RUN):
            yield f"{way or 'nothing'}: {mutant}"


def cell(ways: Mapping[Mutant, str], operator: str, pattern: str) -> str:
    these = [
        way
        for mutant, way in ways.items()
        if operator in ("", mutant.operator) and pattern in ("", mutant.pattern)
    ]
    return f"{sum(map(bool, these))}/{len(these)} ({these.count(PROVED)})" if these else "-"


if __name__ == "__main__":
    main()
