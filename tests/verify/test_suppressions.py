"""Suppressions: a finding that is accepted, with a reason, and one that is not needed any more."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import dacapo

HANDLERS = """\
import random
from aws_durable_execution_sdk_python import durable_execution

@durable_execution
def handler(event, context):
    context.step(lambda _: 1, name="one")
    {above}
    name = random.choice(["two", "three"])  {beside}
    context.step(lambda _: 2, name=name)

@durable_execution
def other(event, context):
    context.step(lambda _: 1, name="one")  # dacapo: ignore[unnamed-operation] of another handler
"""
SUPPRESSED = "randomness-outside-step"
WITH_REASON = f"# dacapo: ignore[{SUPPRESSED}] it is on purpose"


def verified(
    folder: Path, above: str = "", beside: str = "", config: str = "", handler: str = "handler"
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    (folder / "shop.py").write_text(HANDLERS.format(above=above, beside=beside))
    (folder / "pyproject.toml").write_text(config)
    experiments = [o for n in ("reference run", "replayed") for o in ("--only", n)]
    done = dacapo("verify", f"shop.py:{handler}", *experiments, "--format", "json", cwd=folder)
    return done, json.loads(done.stdout)


def codes(findings: list[dict[str, Any]]) -> list[str]:
    return [finding["code"] for finding in findings]


def test_without_a_suppression_the_handler_breaks(tmp_path: Path) -> None:
    done, printed = verified(tmp_path)
    assert (done.returncode, codes(printed["findings"])) == (1, [SUPPRESSED])


@pytest.mark.parametrize(
    "where",
    [
        {"beside": WITH_REASON},
        {"above": WITH_REASON},
        {"above": f"# dacapo: ignore[died, {SUPPRESSED}] it is on purpose"},
        {"config": f'[[tool.dacapo.ignore]]\ncode = "{SUPPRESSED}"\nreason = "it is on purpose"'},
        {
            "config": f'[[tool.dacapo.ignore]]\ncode = "{SUPPRESSED}"\npath = "sho*.py"\n'
            'reason = "it is on purpose"'
        },
    ],
    ids=["beside", "above", "of two codes", "for all files", "for some files"],
)
def test_a_suppression_takes_its_finding_away_and_repeats_the_reason(
    where: dict[str, str], tmp_path: Path
) -> None:
    _, printed = verified(tmp_path, **where)
    assert SUPPRESSED not in codes(printed["findings"])
    (suppressed,) = printed["suppressed"]
    assert (suppressed["code"], suppressed["reason"]) == (SUPPRESSED, "it is on purpose")
    assert (suppressed["file"], suppressed["kind"]) == ("shop.py", "proved")


def test_a_suppression_holds_for_a_deploy_check_as_well(tmp_path: Path) -> None:
    verified(tmp_path, beside=WITH_REASON)
    saved = str(tmp_path / "recording.json")
    dacapo("run", "shop.py:handler", "--save", saved, cwd=tmp_path)
    done = dacapo("check", saved, "shop.py:handler", "--format", "json", cwd=tmp_path)
    (checked,) = json.loads(done.stdout)["recordings"]
    assert codes(checked["suppressed"]) == [SUPPRESSED]
    assert SUPPRESSED not in codes(checked["findings"])


@pytest.mark.prove
def test_what_follows_from_a_suppressed_finding_is_not_suppressed(tmp_path: Path) -> None:
    _, alone = verified(tmp_path)
    (finding,) = alone["findings"]
    _, printed = verified(tmp_path, beside=WITH_REASON)
    assert set(codes(finding["also"])) == set(codes(printed["findings"]))


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"beside": f"# dacapo: ignore[{SUPPRESSED}]"}, "shop.py:8 has no reason"),
        ({"beside": "# dacapo: ignore it is on purpose"}, "shop.py:8 names no finding"),
        ({"beside": "# dacapo: ignore[luck] why not"}, "'luck', which is not a finding"),
        (
            {"config": f'[[tool.dacapo.ignore]]\ncode = "{SUPPRESSED}"'},
            "[[tool.dacapo.ignore]] has no reason",
        ),
    ],
    ids=["no reason", "no code", "unknown code", "no reason in pyproject"],
)
def test_a_suppression_that_is_not_valid_is_reported_and_suppresses_nothing(
    where: dict[str, str], message: str, tmp_path: Path
) -> None:
    done, printed = verified(tmp_path, **where)
    assert (done.returncode, codes(printed["findings"])) == (1, [SUPPRESSED])
    (mistake,) = printed["mistakes"]
    assert message in mistake


SAFE = """\
from aws_durable_execution_sdk_python import durable_execution

@durable_execution
def handler(event, context):
    context.step(lambda _: 1, name="one")  # dacapo: ignore[different-body] it was random once

@durable_execution
def other(event, context):
    context.step(lambda _: 1, name="one")  # dacapo: ignore[died] of another handler
"""


@pytest.mark.prove
def test_a_suppression_of_the_handler_that_suppresses_nothing_any_more_is_reported(
    tmp_path: Path,
) -> None:
    (tmp_path / "safe.py").write_text(SAFE)
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.dacapo.ignore]]\ncode = "stuck"\npath = "safe.py"\nreason = "it is slow"\n'
        '[[tool.dacapo.ignore]]\ncode = "stuck"\npath = "other.py"\nreason = "it is slow"\n'
        '[[tool.dacapo.ignore]]\ncode = "died"\nreason = "it is slow"\n'
    )
    done = dacapo("verify", "safe.py:handler", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["unused_suppressions"] == [
        "different-body at safe.py:5",
        "stuck at [[tool.dacapo.ignore]] of safe.py",
    ]
    partly = dacapo(
        "verify", "safe.py:handler", "--skip", "replayed", "--format", "json", cwd=tmp_path
    )
    assert json.loads(partly.stdout)["unused_suppressions"] == [], "not all was tried"
