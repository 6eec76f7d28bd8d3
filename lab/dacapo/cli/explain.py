"""`dacapo explain [CODE]`: the rule behind a finding, a handler that breaks it, and the fix."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dacapo.cli.options import Mistake
from dacapo.report import source
from dacapo.report.text import BAD, GOOD
from dacapo.verify.findings import Code
from dacapo.verify.rules import Rule, rules


@click.command()
@click.argument("code", required=False)
@click.option("--all", "is_all", is_flag=True, help="Explain every finding.")
def explain(code: str | None, is_all: bool) -> None:
    """Explain the finding CODE: the rule, an example, and the fix. Without CODE, list all rules.

    Exit status: 0, or 2 for an unknown CODE.
    """
    console = Console()
    if code is not None and is_all:
        raise Mistake("give a code or --all, not both")
    if is_all:
        for each, rule in rules().items():
            _show(each, rule, console)
            console.print()
    elif code is None:
        _show_list(rules(), console)
    else:
        known = _known(code)
        _show(known, rules()[known], console)


def _known(code: str) -> Code:
    try:
        return Code(code)
    except ValueError:
        close = get_close_matches(code, list(Code), n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "dacapo explain lists all codes"
        raise Mistake(f"there is no finding {code!r}; {hint}") from None


def _show_list(all_rules: Mapping[Code, Rule], console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    for code, rule in all_rules.items():
        table.add_row(Text(code, "bold"), Text(rule.rule))
    console.print(table)
    console.print(Text("\ndacapo explain CODE shows an example and the fix."))


def _show(code: Code, rule: Rule, console: Console) -> None:
    console.print(Text(code, "bold"))
    console.print(Text(f"\n{rule.rule}"))
    for label, style, example in (("Broken", BAD, rule.broken), ("Fixed", GOOD, rule.fixed)):
        console.print(Text(f"\n{label}:\n", f"bold {style}"))
        for line in source.lines_of(example):
            console.print(line, soft_wrap=True)
    console.print(Text(f"\nFix: {rule.fix}"))
