"""Lint the SAM template, and what the SAM transform makes of it: ranges are only checked there."""

from __future__ import annotations

import sys

from cfnlint import api
from cfnlint.config import ManualArgs

from tools import sam


def findings() -> list[str]:
    """Everything that cfn-lint has to say, a line each, of both forms of the template."""
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
    """Print what was found.

    Returns:
        0 if nothing was, 1 otherwise.
    """
    found = findings()
    print("\n".join(found) or f"{sam.TEMPLATE.name}: clean, as written and expanded")  # noqa: T201
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
