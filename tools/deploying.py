"""Checks before and after `sam build`, with the standard library only.

`python -m tools.deploying interpreter`: check for an interpreter of the functions' runtime.
`python -m tools.deploying built`: check that the build matches what was tested here.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILT = Path(".aws-sam/build")
ELF = b"\x7fELF"
MACHINE = slice(18, 20)
ARM64 = (183).to_bytes(2, "little")
"""Offset and value of the machine type in an ELF header (ELF specification)."""


def runtime(root: Path = ROOT) -> str:
    """Return the template's runtime, for example `python3.13`."""
    (name,) = re.findall(
        r"^    Runtime: (\S+)$", (root / "template.yaml").read_text(), re.MULTILINE
    )
    return str(name)


def interpreter(root: Path = ROOT) -> list[str]:
    """List what keeps `sam build` from using the runtime's interpreter; empty if nothing does."""
    name = runtime(root)
    why = f"sam build needs {name} on PATH, with pip, because the functions run on it"
    try:
        # Run it: a pyenv shim is on PATH even if its version is not selected.
        completed = subprocess.run(
            [name, "-m", "pip", "--version"], check=False, capture_output=True, text=True
        )
    except FileNotFoundError:
        return [f"{why}; it was not found"]
    if completed.returncode:
        output = (completed.stderr.strip() or "no output").splitlines()[0]
        return [f"{why}; the one on PATH does not work: {output}"]
    return []


def built(root: Path = ROOT) -> list[str]:
    """List the differences between the build and what was tested here; empty if there are none."""
    template = (root / "template.yaml").read_text()
    functions = re.findall(r"^  (\w+):\n    Type: AWS::Serverless::Function$", template, re.M)
    return [
        f"{function}: {difference}"
        for function in functions
        for difference in _differences(root, root / BUILT / function)
    ]


def _differences(root: Path, artifact: Path) -> Iterator[str]:
    for source in (root / "src/patterns").rglob("*.py"):
        copy = artifact / source.relative_to(root / "src")
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            yield f"{copy.relative_to(artifact)} is missing or differs from src"
    pins, packed = _pins(root / "constraints.txt"), _packages(artifact)
    for name in _pins(root / "src/requirements.txt").keys() - packed.keys():
        yield f"{name} is missing"
    for name, version in packed.items():
        if version != pins.get(name):
            yield f"{name} is {version}, but {pins.get(name, 'no version')} was tested"
    for library in artifact.rglob("*.so"):
        header = library.read_bytes()[: MACHINE.stop]
        if not header.startswith(ELF) or header[MACHINE] != ARM64:
            yield f"{library.relative_to(artifact)} is not for arm64"


def _pins(path: Path) -> dict[str, str]:
    pinned = re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)$", path.read_text(), re.MULTILINE)
    return {_normalized(name): version for name, version in pinned}


def _packages(artifact: Path) -> dict[str, str]:
    stems = (path.name.removesuffix(".dist-info") for path in artifact.glob("*.dist-info"))
    parts = (stem.partition("-") for stem in stems)
    return {_normalized(name): version for name, _, version in parts}


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


CHECKS: dict[str, Callable[[], list[str]]] = {"interpreter": interpreter, "built": built}


def main(check: str) -> int:
    """Run a check and print its problems.

    Parameters:
        check: `interpreter` or `built`.

    Returns:
        0 if there are no problems, 1 otherwise.
    """
    problems = CHECKS[check]()
    if problems:
        print("\n".join(problems))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
