"""Lint the SAM templates as written and expanded: cfn-lint checks ranges only in the latter."""

from __future__ import annotations

import sys
from pathlib import Path

from cfnlint import api
from cfnlint.config import ManualArgs

from tools import sam


def findings(path: Path) -> list[str]:
    """List cfn-lint's messages about both forms of a template, one line each."""
    config = ManualArgs(regions=[sam.REGION])
    # From the file, because cfn-lint follows the locations of nested templates.
    forms = {
        "as written": api.lint_file(path, config=config),
        "expanded": api.lint(sam.as_yaml(sam.expand(path)), config=config),
    }
    return [
        f"{path} {form}, line {match.linenumber}, {_where(match)}: {match.rule.id} {match.message}"
        for form, matches in forms.items()
        for match in matches
    ]


def _where(match: api.Match) -> str:
    return "/".join(str(part) for part in getattr(match, "path", None) or ["the template"])


def main() -> int:
    """Print the messages.

    Returns:
        0 if there are none, 1 otherwise.
    """
    paths = [sam.TOP, *sam.TEMPLATES.values()]
    messages = [message for path in paths for message in findings(path)]
    print("\n".join(messages) or f"{len(paths)} templates: clean, as written and expanded")
    return bool(messages)


if __name__ == "__main__":
    sys.exit(main())
