"""Words that stay out of this project, and where they still are.

`python -m tests.project.language PATH…` prints every place. docs/glossary.md says what to write
instead.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = ("tests/project/language.py", "docs/glossary.md", "LICENSE")
"""These name the words, or are not ours."""

PROSE = {
    r"\bsigns? of life\b": "heartbeat",
    r"\bleeds?\b": "job posting",
    r"\b(?:comes?|came|brought|bring) again\b": "is retried, is redelivered, again",
    r"\banew\b": "again",
    r"\bwh(?:o|at|ich)ever\b": "the caller, the sender, any",
    r"\b(?:is|are|was|were|be|been|being|not) told\b": "is notified, receives",
    r"\btells? (?:of|that|what|whether|which|how|it)\b": "reports, says",
    r"\b(?:leaves?|left|leaving)(?: \w+){0,4} away\b": "omit",
    r"\bhand-?made\b|\bby[- ]hand\b": "baseline, manually",
    r"\b(?:agency|agencies)\b": "vendor",
    r"\b(?:restaurants?|guests?)\b": "reviewer, customer",
    r"\bas scheduled\b": "reference run",
    r"\buninterrupted\b": "single invocation",
    r"\binterrupted everywhere\b": "suspended everywhere",
    r"\b(?:rewound|rewind)\b": "replayed",
    r"\bhappenings?\b": "external event",
    r"\bdeploy gate\b|\bthe gate\b": "deploy check",
    r"\bstor(?:y|ies)\b": "scenario",
    r"(?<!there )\bis no (?!longer\b|more than\b|less than\b)\w+": "is not an X, invalid X",
    r"\bhow it stands\b|\bstandings?\b": "status",
    r"\b[wW]hile this lasts\b": "Context manager that …",
    r"\bNames the environment variable\b": "Environment variable with …",
    r"\bout of a box\b|\bborne\b|\bnowhere written\b|\bso far as\b": "say it plainly",
    r"\bwaits? well\b": "production-ready",
    r"\bmeanwhile\b.*\bmeanwhile\b": "while",
    r"\bto the last (?:id|byte)\b": "byte for byte",
}
"""Patterns in docs, docstrings, comments and text that is printed, and what to write instead."""

PARTS = {
    **dict.fromkeys(("leed", "leeds"), "posting, booking"),
    **dict.fromkeys(("told", "tell", "tells"), "notify, report, or the thing's own name"),
    **dict.fromkeys(("happening", "happenings"), "external_event"),
    **dict.fromkeys(("agency", "restaurant", "guest", "guests"), "vendor, reviewer, customer"),
    **dict.fromkeys(("standing", "standings"), "status"),
    **dict.fromkeys(("gate", "rewound", "rewinder", "uninterrupted"), "the glossary's word"),
    **dict.fromkeys(("story", "stories"), "scenario"),
    **dict.fromkeys(("whoever", "anew"), "the thing's own name"),
}
"""Words that no identifier holds, as one of its parts."""
WHOLE = {
    **dict.fromkeys(("got", "given", "found", "told", "made", "kept"), "name the thing"),
    **dict.fromkeys(("look", "looks", "note", "move", "moves"), "check or poll, record, step"),
}
"""Identifiers that are these words and nothing else."""

NOUN_CLAUSES = ("What", "Whether", "How", "Where", "Who", "Which", "Why", "When")
"""A function's docstring begins with a verb, a property's with a noun; neither with these."""


def files() -> list[str]:
    """List the text files of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    endings = (".py", ".md", ".yaml", ".toml", ".json", "Makefile")
    return [
        name
        for name in listed
        if name.endswith(endings) and name not in HERE and (ROOT / name).exists()
    ]


def prose_problems(name: str) -> Iterator[str]:
    """Yield the lines of a file that hold words which stay out."""
    for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
        for pattern, instead in PROSE.items():
            if match := re.search(pattern, line, re.IGNORECASE):
                yield f"{name}:{number}: {match[0]!r}: write {instead}"


def identifier_problems(name: str) -> Iterator[str]:
    """Yield the names that a Python file defines and should not, and its noun-clause docstrings."""
    for node in ast.walk(ast.parse((ROOT / name).read_text())):
        for identifier in _defined(node):
            parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", identifier)
            bad = [part.lower() for part in parts if part.lower() in PARTS]
            if bad or identifier.lower().strip("_") in WHOLE:
                instead = PARTS[bad[0]] if bad else WHOLE[identifier.lower().strip("_")]
                line = getattr(node, "lineno", 0)
                yield f"{name}:{line}: identifier {identifier!r}: write {instead}"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = (ast.get_docstring(node) or "-").split()[0]
            if first in NOUN_CLAUSES:
                yield f"{name}:{node.lineno}: docstring of {node.name!r} begins with {first!r}"


def _defined(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.arg(arg=name) | ast.keyword(arg=str(name)):
            yield name
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.Attribute(attr=name, ctx=ast.Store()):
            yield name


def problems(name: str) -> list[str]:
    """List what is wrong with the language of a file."""
    return [*prose_problems(name), *(identifier_problems(name) if name.endswith(".py") else ())]


if __name__ == "__main__":
    paths = tuple(sys.argv[1:]) or ("",)
    for file in files():
        if file.startswith(paths):
            for problem in problems(file):
                print(problem)  # noqa: T201
