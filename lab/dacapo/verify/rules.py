"""The rule behind each finding, how to fix it, and an example of both: the texts of rules.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dacapo.verify.findings import Code

_FILE = Path(__file__).with_name("rules.toml")


@dataclass(frozen=True)
class Rule:
    """A rule for handlers, and what to do where one breaks it.

    Parameters:
        rule: the rule, in one sentence.
        fix: what to do, in one or two sentences.
        broken: source of a handler that breaks the rule.
        fixed: the same handler, corrected.
    """

    rule: str
    fix: str
    broken: str
    fixed: str


@cache
def rules() -> Mapping[Code, Rule]:
    """Return the rule behind each finding, in the order of `Code`.

    Raises:
        KeyError: rules.toml lacks a code.
    """
    texts = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {code: Rule(**texts[code]) for code in Code}


def explain_command(code: Code) -> str:
    """Return the command that explains a finding."""
    return f"dacapo explain {code}"
