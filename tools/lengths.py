"""Function and file lengths, printed by `make check` for information.

The aim: half of the functions at most 8 lines, nine in ten at most 20, files about 150.
"""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("src", "lab", "scenarios", "tests", "bench", "compare", "tools", "gotchas")
LONGEST_FILES = 5
NINE_IN_TEN = 90


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function's body, without its docstring."""
    body = function.body
    has_docstring = ast.get_docstring(function) is not None
    if has_docstring and len(body) == 1:
        return 0
    first = body[1] if has_docstring else body[0]
    return (function.end_lineno or first.lineno) - first.lineno + 1


def functions_in(path: Path) -> Iterator[int]:
    """Yield the length of every function in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield lines_of(node)


def main() -> None:
    """Print the median and 90th percentile of function lengths, and the longest files."""
    files = [path for folder in FOLDERS for path in Path(folder).rglob("*.py")]
    lengths = sorted(length for path in files for length in functions_in(path))
    percentile = statistics.quantiles(lengths, n=100)[NINE_IN_TEN - 1]
    print(
        f"{len(lengths)} functions: median {statistics.median(lengths):.0f} lines, "
        f"90th percentile {percentile:.0f}; {len(files)} files, the longest:"
    )
    sizes = sorted(((len(path.read_text().splitlines()), path) for path in files), reverse=True)
    for size, path in sizes[:LONGEST_FILES]:
        print(f"  {size:4} {path}")


if __name__ == "__main__":
    main()
