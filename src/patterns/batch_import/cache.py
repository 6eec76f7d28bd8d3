"""Blocks of objects in /tmp: an optimisation that may be lost at any time, and is never relied on.

Lambda keeps /tmp as long as it keeps the environment; on Lambda Managed Instances several processes
share it, and each may write or remove any file at any moment. So:

- a block is written under a name of its own and then renamed: nobody sees half of one;
- it begins with a checksum, for who finds a file that is not what was written;
- whatever goes wrong (disk full, file gone, folder gone) is a miss and never a failure.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MOST_BLOCKS = 32
"""Files that are kept, those half written included; of 8 MiB each, half of the 512 MB that /tmp has
by default. A process more that writes at the same moment may go one file beyond."""
FOLDER = "batch_import"
_CHECKSUM_BYTES = 16


def folder() -> Path:
    """Where the blocks are."""
    return Path(tempfile.gettempdir()) / FOLDER


def load(name: str) -> bytes | None:
    """The block that was kept under this name; None if there is none, or not as it was."""
    try:
        content = _path(name).read_bytes()
    except OSError:
        return None
    checksum, block = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
    return block if checksum == _checksum(block) else None


def save(name: str, block: bytes) -> None:
    """Keep a block, if that is possible; the oldest ones make room for it.

    Parameters:
        name: what the block is, all of it: the same name is the same bytes.
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
    for _, path in oldest_first[: max(0, len(oldest_first) + 1 - MOST_BLOCKS)]:
        # Another process may have been quicker.
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
