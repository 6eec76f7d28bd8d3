"""What has to be so before `sam build`, and after it. The standard library is enough for that.

`python -m tools.deploying interpreter`: is there a Python of the functions' runtime to build with?
`python -m tools.deploying built`: was that built which was tested here?
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
"""Where an ELF file says which machine it is for, and what it says (ELF specification)."""


def runtime(root: Path = ROOT) -> str:
    """The interpreter that the template's functions run on, `python3.13` for example."""
    (name,) = re.findall(
        r"^    Runtime: (\S+)$", (root / "template.yaml").read_text(), re.MULTILINE
    )
    return str(name)


def interpreter(root: Path = ROOT) -> list[str]:
    """What keeps `sam build` from using the interpreter of the runtime; nothing if it can."""
    name = runtime(root)
    why = f"sam build needs {name} on PATH, with pip, because that is what the functions run on"
    try:
        # Not only looked for: a pyenv shim is on PATH whether or not its version is chosen.
        done = subprocess.run(  # noqa: S603 - the name is the template's
            [name, "-m", "pip", "--version"], check=False, capture_output=True, text=True
        )
    except FileNotFoundError:
        return [f"{why}; there is none"]
    if done.returncode:
        says = (done.stderr.strip() or "nothing").splitlines()[0]
        return [f"{why}; there is one that can't be used, and says: {says}"]
    return []


def built(root: Path = ROOT) -> list[str]:
    """How what was built differs from what was tested here; nothing if it does not."""
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
            yield f"{copy.relative_to(artifact)} is missing, or not as in src"
    pins, packed = _pins(root / "constraints.txt"), _packages(artifact)
    for name in _pins(root / "src/requirements.txt").keys() - packed.keys():
        yield f"{name} is missing"
    for name, version in packed.items():
        if version != pins.get(name):
            yield f"{name} is {version}, but {pins.get(name, 'nothing')} was tested"
    for library in artifact.rglob("*.so"):
        start = library.read_bytes()[: MACHINE.stop]
        if not start.startswith(ELF) or start[MACHINE] != ARM64:
            yield f"{library.relative_to(artifact)} is not for arm64"


def _pins(path: Path) -> dict[str, str]:
    pinned = re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)$", path.read_text(), re.MULTILINE)
    return {_normal(name): version for name, version in pinned}


def _packages(artifact: Path) -> dict[str, str]:
    stems = (path.name.removesuffix(".dist-info") for path in artifact.glob("*.dist-info"))
    return {_normal(name): version for name, _, version in (stem.partition("-") for stem in stems)}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


CHECKS: dict[str, Callable[[], list[str]]] = {"interpreter": interpreter, "built": built}


def main(check: str) -> int:
    """Print what a check finds.

    Returns:
        0 if it finds nothing, 1 otherwise.
    """
    found = CHECKS[check]()
    if found:
        print("\n".join(found))  # noqa: T201
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
