"""The tables of docs/by-hand.md: what was lost or doubled, by running it.

`python -m tests.by_hand.page` writes them anew.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Sequence
from pathlib import Path

import dacapo  # noqa: F401 - before the modules that make clients
from tests.by_hand.fault import Fault

PAGE = Path(__file__).parents[2] / "docs" / "by-hand.md"
TABLE = re.compile(r"(<!-- made by tests/by_hand/(\w+)\.py -->\n)(.*?)(<!-- end -->\n)", re.DOTALL)
HEAD = ("what goes wrong", "by hand", "durable")


def faults(name: str) -> Sequence[Fault]:
    """The faults that a module of this package tells of."""
    found: Sequence[Fault] = importlib.import_module(f"tests.by_hand.{name}").FAULTS
    return found


def table(name: str) -> str:
    """A table, as it stands in the page."""
    lines = [HEAD, ("---",) * len(HEAD), *(fault.line() for fault in faults(name))]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def written() -> dict[str, str]:
    """The tables that the page holds, by the module that made them."""
    return {name: text for _, name, text, _ in TABLE.findall(PAGE.read_text())}


def main() -> None:
    """Write the tables into the page."""
    logging.disable(logging.CRITICAL)
    page = TABLE.sub(lambda m: m[1] + table(m[2]) + m[4], PAGE.read_text())
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
