"""Lint the SAM template as written and expanded: cfn-lint checks ranges only in the latter."""

from __future__ import annotations

import sys

from cfnlint import api
from cfnlint.config import ManualArgs

from tools import sam


def findings() -> list[str]:
    """List cfn-lint's messages about both forms of the template, one line each."""
    forms = {"as written": sam.TEMPLATE.read_text(), "expanded": sam.as_yaml(sam.expand())}
    return [
        f"{sam.TEMPLATE.name} {form}, line {match.linenumber}, {_where(match)}: "
        f"{match.rule.id} {match.message}"
        for form, text in forms.items()
        for match in api.lint(text, config=ManualArgs(regions=[sam.REGION]))
    ]


def _where(match: api.Match) -> str:
    return "/".join(str(part) for part in getattr(match, "path", None) or ["the template"])


def main() -> int:
    """Print the messages.

    Returns:
        0 if there are none, 1 otherwise.
    """
    messages = findings()
    print("\n".join(messages) or f"{sam.TEMPLATE.name}: clean, as written and expanded")
    return bool(messages)


if __name__ == "__main__":
    sys.exit(main())
