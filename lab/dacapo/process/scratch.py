"""The files that a run leaves behind: what another run, or another sandbox, must not find."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dacapo.process.active_run import ACTIVE

_SHARED = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - where handlers write
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def _opened(arguments: tuple[Any, ...]) -> object:
    path, mode, flags = arguments
    writes = any(letter in mode for letter in "wax+") if mode else bool((flags or 0) & _WRITES)
    return path if writes else None


_WRITTEN: dict[str, Callable[[tuple[Any, ...]], object]] = {
    "open": _opened,
    "os.mkdir": lambda arguments: arguments[0],
    "os.rename": lambda arguments: arguments[1],
    "sqlite3.connect": lambda arguments: arguments[0],
}


class Files:
    """Everything that is written outside a temporary directory.

    Parameters:
        own: that directory.
    """

    def __init__(self, own: str) -> None:
        self.own = own
        self.left: list[str] = []
        self.created: dict[str, None] = {}

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at an audit event; see `sys.addaudithook`."""
        describe = _WRITTEN.get(event)
        written = describe and describe(arguments)
        if isinstance(written, str | bytes | os.PathLike):
            self._record(os.path.abspath(os.fsdecode(written)))  # noqa: PTH100 - is audited itself

    def _record(self, path: str) -> None:
        if path in self.left or path == os.devnull or self._is_own(path):
            return
        self.left.append(path)
        is_shared = any(path.startswith(f"{folder}{os.sep}") for folder in _SHARED)
        if is_shared and not os.path.lexists(path):
            self.created[path] = None

    def _is_own(self, path: str) -> bool:
        # Python's own caches are written beside its sources.
        return path.startswith(self.own + os.sep) or "__pycache__" in path


def remove(paths: Iterable[str]) -> None:
    """Remove files and directories, if they still exist.

    Parameters:
        paths: in the order in which they were created.
    """
    for path in map(Path, reversed(list(paths))):
        with suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


@contextmanager
def watched(*, is_removing: bool = True) -> Iterator[Files]:
    """Context manager that watches what is written.

    Parameters:
        is_removing: whether to remove in the end what is new in /tmp.
    """
    files = Files(tempfile.gettempdir())
    try:
        with ACTIVE.audited_by(files):
            yield files
    finally:
        if is_removing:
            remove(files.created)
