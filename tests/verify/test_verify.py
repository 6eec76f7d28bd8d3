"""`dacapo verify` and `durable.verify`: what they print, say and exit with."""

from __future__ import annotations

import json

import pytest

from dacapo import Scenario
from dacapo.pytest_plugin import Durable
from dacapo.verify.experiments import EXPERIMENTS, INTERRUPTED, REWOUND, SHUFFLED
from dacapo.verify.findings import AS_SCHEDULED
from dacapo.verify.verifier import verify
from gotchas import branch_on_chance
from tests.command_line import dacapo
from tests.lab import handlers

BROKEN = "gotchas/branch_on_chance.py:breaks"


def test_a_handler_that_does_not_survive_exits_with_1_and_says_where_and_what_to_do() -> None:
    done = dacapo("verify", BROKEN)
    assert done.returncode == 1
    for text in (
        *("proved: chance-outside-step", "gotchas/branch_on_chance.py:", "random.choice()"),
        *("other chance", "also", "other-operation"),
        *("rule", "Draw it in a step.", "docs/gotchas.md#chance-outside-step"),
        *("does not survive replay: 1 proved, 0 suspected",),
    ):
        assert text in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_handler_that_survives_exits_with_0() -> None:
    done = dacapo("verify", "gotchas/branch_on_chance.py:holds", "--format", "json")
    assert done.returncode == 0, done.stdout
    printed = json.loads(done.stdout)
    assert (printed["target"], printed["findings"]) == ("gotchas/branch_on_chance.py:holds", [])
    assert set(printed["experiments"]) == set(EXPERIMENTS)
    rewound = printed["experiments"][REWOUND]
    assert rewound["runs"] > 3
    assert rewound["not_run"] is None


def test_what_was_found_is_printed_as_json_with_its_place() -> None:
    done = dacapo("verify", BROKEN, "--format", "json", "--only", REWOUND)
    (chance,) = (
        f for f in json.loads(done.stdout)["findings"] if f["code"] == "chance-outside-step"
    )
    assert chance["certainty"] == "proved"
    assert chance["file"] == branch_on_chance.__file__
    assert isinstance(chance["line"], int)


@pytest.mark.parametrize("option", ["--only", "--skip"])
def test_an_experiment_that_does_not_exist_is_a_mistake_in_the_call(option: str) -> None:
    done = dacapo("verify", BROKEN, option, "hypnotised")
    assert done.returncode == 2
    assert "there is no experiment 'hypnotised'; there are: 'as scheduled'" in done.stderr


def test_what_was_not_run_is_said() -> None:
    report = verify(Scenario(handler=handlers.waits, event=2), only=[INTERRUPTED, SHUFFLED])
    why = {name: experiment.not_run for name, experiment in report.experiments.items()}
    assert why[REWOUND] == "not asked for"
    assert why[SHUFFLED] == "the handler has no branches"
    assert why[INTERRUPTED] == why[AS_SCHEDULED] == ""


def test_in_a_test_one_line_fails_with_what_is_wrong(durable: Durable) -> None:
    with pytest.raises(pytest.fail.Exception, match="chance-outside-step at gotchas"):
        durable.verify(branch_on_chance.breaks)
    durable.verify(branch_on_chance.holds)


@pytest.mark.parametrize("seed", range(5))
def test_map_and_parallel_survive_in_every_order_of_their_branches(seed: int) -> None:
    for handler in (handlers.mapped, handlers.mapped_flat, handlers.mapped_with_failures):
        report = verify(Scenario(handler=handler, event=5), seed=seed, crashes=6)
        assert report.proved == []
        assert report.experiments[SHUFFLED].runs
