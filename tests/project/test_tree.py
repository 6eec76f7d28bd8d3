"""The repository holds no secrets, no machine-specific paths or sources, and no generated files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = subprocess.run(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.split("\0")[:-1]

FORBIDDEN = {
    "the address of a package index": r"--(?:extra-)?index-url|https?://[^\s\"')]*/simple\b",
    "a hash or a source of a lock file": r"--hash=|registry\s*=\s*[\"']https?:",
    "a home directory": r"/(?:home|Users)/(?!runner\b)\w+/",
    "an access key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
}


@pytest.mark.parametrize(("what", "pattern"), FORBIDDEN.items(), ids=list(FORBIDDEN))
def test_no_file_contains(what: str, pattern: str) -> None:
    assert len(FILES) > 100, "no files were checked"
    for name in FILES:
        path = ROOT / name
        if path != Path(__file__) and path.exists():
            assert re.findall(pattern, path.read_text(errors="replace")) == [], (
                f"{name} contains {what}"
            )


def test_no_file_is_generated() -> None:
    generated = re.compile(r"\.(?:pyc|lock|log)$|(?:^|/)(?:build|dist|\.aws-sam|\.venv)/")
    assert [name for name in FILES if generated.search(name)] == []
