"""Checks before and after `sam build` and `sam delete`, with the standard library only.

`python -m tools.deploying interpreter`: check for an interpreter of the functions' runtime.
`python -m tools.deploying built`: check that the build matches what was tested here.
`python -m tools.deploying kept STACK`: print how to find and remove what a deleted stack left.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILT = Path(".aws-sam/build")
ELF = b"\x7fELF"
MACHINE = slice(18, 20)
ARM64 = (183).to_bytes(2, "little")
"""Offset and value of the machine type in an ELF header (ELF specification)."""
STACK_TAG = "stack"
"""Tag that `make deploy` sets to the stack's name on everything that the stack creates."""


def runtime(root: Path = ROOT) -> str:
    """Return the runtime of all templates, for example `python3.13`."""
    templates = [path.read_text() for path in (root / "src").rglob("template.yaml")]
    (name,) = set(re.findall(r"^    Runtime: (\S+)$", "\n".join(templates), re.MULTILINE))
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
    if not (root / BUILT / "template.yaml").exists():
        return [f"there is no build in {BUILT}"]
    return [
        f"{artifact.relative_to(root / BUILT)}: {difference}"
        for artifact in _artifacts(root / BUILT)
        for difference in _differences(root, artifact)
    ]


def _artifacts(folder: Path) -> Iterator[Path]:
    template = (folder / "template.yaml").read_text()
    for name in _names_of("Function", template):
        yield folder / name
    for name in _names_of("Application", template):
        yield from _artifacts(folder / name)


def _names_of(kind: str, template: str) -> list[str]:
    return re.findall(rf"^  (\w+):\n    Type: AWS::Serverless::{kind}$", template, re.MULTILINE)


def _differences(root: Path, artifact: Path) -> Iterator[str]:
    for source in (root / "src").rglob("*.py"):
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
        with library.open("rb") as file:
            header = file.read(MACHINE.stop)
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


def leftovers(stack: str) -> str:
    """Return how to find and remove the data that a deleted stack left, as text.

    Parameters:
        stack: the stack's name.
    """
    return f"""\
{stack} is deleted. Unless it was deployed with KEEP_DATA=no, its tables, bucket, secret and KMS
keys are kept, and are still billed. List them (for some hours, the list has deleted ones, too):
  aws resourcegroupstaggingapi get-resources --tag-filters Key={STACK_TAG},Values={stack} \\
    --query 'ResourceTagMappingList[].ResourceARN' --output text | tr '\\t' '\\n'
Remove what you don't need, for good:
  aws dynamodb delete-table --table-name ...
  aws s3 rb --force s3://...
  aws secretsmanager delete-secret --secret-id ...
  aws kms schedule-key-deletion --pending-window-in-days 7 --key-id ..."""


def main(command: str, *arguments: str) -> int:
    """Run a check and print its problems, or print what a deleted stack left.

    Parameters:
        command: `interpreter`, `built` or `kept`.
        arguments: for `kept`, the stack's name.

    Returns:
        0 if there are no problems, 1 otherwise.
    """
    if command == "kept":
        print(leftovers(*arguments))
        return 0
    problems = {"interpreter": interpreter, "built": built}[command]()
    if problems:
        print("\n".join(problems))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
