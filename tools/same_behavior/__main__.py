"""`python -m tools.same_behavior REVISION`: nothing but names has changed since that revision.

Both checkouts run every scenario under two seeds, and verify every gotcha. The recordings have to
be the same after the table of renames (renames.json) is applied to the older one; the findings map
one to one. Opaque values (callback IDs, tokens, digests) are made from names, so each is replaced
by the number of its first occurrence: where one value was used twice, one still is.

`--old FILE` takes what an earlier call wrote for the revision, `--only MODULE` compares one module.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DUMP = Path(__file__).with_name("dump.py")
RENAMES = Path(__file__).with_name("renames.json")
OPAQUE = re.compile(
    r"(?<![\w+-])(?:[A-Za-z0-9+/_-]{43}=?|[0-9a-f]{32,128}|[0-9a-f-]{36})(?![\w+/=-])"
)
PORT = re.compile(r"127\.0\.0\.1:\d+|content-length\W+\d+")
"""Another one in every run; and the length of a body whose members are renamed."""
NOT_COMPARED = ("bytes_written", "scenario", "data_size")
"""A payload whose members are renamed has another length; a scenario is known by its place."""

RACES = "gotchas.user_threads"
"""Broken on purpose: its own threads race, so that no two runs of it are the same."""

Key = tuple[str, int, int | None]


def dumped(checkout: Path, only: str) -> list[dict[str, Any]]:
    """Run the dump inside a checkout."""
    paths = (checkout / "lab", checkout / "src", checkout)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONHASHSEED": "0",
    }
    command = [sys.executable, str(DUMP), *([only] if only else [])]
    done = subprocess.run(
        command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def of_revision(revision: str, only: str) -> list[dict[str, Any]]:
    """Check a revision out beside this one, and dump it."""
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder, "old")
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(checkout), revision], check=True)
        try:
            return dumped(checkout, only)
        finally:
            subprocess.run([*git, "remove", "--force", str(checkout)], check=True)


def keyed(lines: Iterable[dict[str, Any]], modules: dict[str, str]) -> dict[Key, Any]:
    """Index the lines of a dump by module, number and seed; findings have no seed."""
    return {
        (modules.get(line["module"], line["module"]), line["number"], line.get("seed")): (
            line.get("recording") or line["findings"]
        )
        for line in lines
    }


def shown(value: Any, renames: Iterable[tuple[str, str]] = ()) -> list[str]:
    """Write a recording as lines, with its renames applied and its opaque values numbered."""
    if isinstance(value, dict) and "meta" in value:
        value = _without(value)
    text = json.dumps(value, indent=1, sort_keys=False, ensure_ascii=False)
    for old, new in renames:
        text = re.sub(old, new, text)
    if isinstance(value, list):  # findings: code, certainty, and the codes that they explain
        text = json.dumps([[*one[:2], *sorted(one[2:])] for one in json.loads(text)], indent=1)
    text = PORT.sub("", text)
    numbers: dict[str, str] = {}
    text = OPAQUE.sub(lambda match: numbers.setdefault(match[0], f"<{len(numbers)}>"), text)
    return text.splitlines()


def _without(recording: dict[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in recording["meta"].items() if key not in NOT_COMPARED}
    return recording | {"meta": meta | {"others": [_without(one) for one in meta["others"]]}}


def main() -> int:
    """Compare, and print the first difference of each scenario that has one."""
    parser = argparse.ArgumentParser(prog="python -m tools.same_behavior", description=__doc__)
    parser.add_argument("revision", nargs="?", help="what to compare this checkout with")
    parser.add_argument("--old", type=Path, help="lines that an earlier dump wrote")
    parser.add_argument("--only", default="", metavar="MODULE")
    options = parser.parse_args()
    if not (options.revision or options.old):
        parser.error("name a revision to compare this checkout with, or give --old FILE")
    table = json.loads(RENAMES.read_text())
    renames = [(pair[0], pair[1]) for pair in table["recordings"]]
    if options.old:
        before = [json.loads(line) for line in options.old.read_text().splitlines()]
        before = [line for line in before if line["module"].startswith(options.only)]
    else:
        before = of_revision(options.revision, options.only)
    old = keyed(before, table["modules"])
    new = keyed(dumped(ROOT, options.only), {})
    keys = [key for key in {**old, **new} if key[0] != RACES or key[1] != 0]
    different = [key for key in keys if not _same(key, old, new, renames)]
    print(f"{len(keys)} recordings and verdicts compared, {len(different)} differ")
    return 1 if different or not old else 0


def _same(
    key: Key, old: dict[Key, Any], new: dict[Key, Any], renames: list[tuple[str, str]]
) -> bool:
    if key not in old or key not in new:
        print(f"{key}: only in the {'older' if key in old else 'newer'} checkout")
        return False
    one, other = shown(old[key], renames), shown(new[key])
    if one == other:
        return True
    changes = difflib.unified_diff(one, other, "older", "newer", lineterm="", n=1)
    print(f"{key}:", *(line[:300] for line in list(changes)[:12]), sep="\n  ")
    return False


if __name__ == "__main__":
    sys.exit(main())
