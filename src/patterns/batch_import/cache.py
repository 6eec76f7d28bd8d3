"""Cache blocks of objects in /tmp: an optimization that may vanish at any time.

/tmp lives as long as the execution environment. On Lambda Managed Instances, several processes
share it, and each may write or remove any file at any moment. Therefore:

- Each block is written to a temporary file and then renamed, so that no reader sees half a block.
- Each file starts with a checksum, so that a reader recognizes a damaged file.
- Every problem (full disk, missing file, missing folder) is a cache miss, never a failure.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MAX_BLOCKS = 32
"""Maximum number of files, including half-written ones. At 8 MiB each they fill half of the 512 MB
that /tmp has by default. Each additional process that writes at the same moment may exceed the
maximum by one file."""
FOLDER = "batch_import"
_CHECKSUM_BYTES = 16


def folder() -> Path:
    """Return the folder that holds the blocks."""
    return Path(tempfile.gettempdir()) / FOLDER


def load(name: str) -> bytes | None:
    """Return the block saved under this name, or None if it is missing or damaged."""
    try:
        content = _path(name).read_bytes()
    except OSError:
        return None
    checksum, block = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
    return block if checksum == _checksum(block) else None


def save(name: str, block: bytes) -> None:
    """Save a block if possible, evicting the oldest blocks to make room.

    Parameters:
        name: identifies the block completely: the same name always means the same bytes.
    """
    path = _path(name)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(exist_ok=True)
        _make_room()
        with draft.open("xb") as file:
            file.write(_checksum(block))
            file.write(block)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()


def _make_room() -> None:
    oldest_first = sorted(_files())
    for _, path in oldest_first[: max(0, len(oldest_first) + 1 - MAX_BLOCKS)]:
        # Another process may have removed it first.
        with suppress(OSError):
            path.unlink()


def _files() -> Iterator[tuple[int, Path]]:
    for path in folder().iterdir():
        with suppress(OSError):
            yield path.stat().st_mtime_ns, path


def _path(name: str) -> Path:
    return folder() / hashlib.sha256(name.encode()).hexdigest()


def _checksum(block: bytes) -> bytes:
    return hashlib.blake2b(block, digest_size=_CHECKSUM_BYTES).digest()
