"""The files that a run leaves behind: what another run, or another sandbox, must not find."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dacapo.process.active_run import ACTIVE
from dacapo.process.own_files import changed_by

_SHARED = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - where handlers write
_MAKES = ("open", "os.mkdir", "os.rename", "os.link", "os.symlink")
"""What leaves something: at its last path."""
_DATABASE = "sqlite3.connect"


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
        paths = arguments[:1] if event == _DATABASE else changed_by(event, arguments)
        is_left = event in (*_MAKES, _DATABASE)
        if is_left and paths and isinstance(path := paths[-1], str | bytes | os.PathLike):
            self._record(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100 - is audited itself

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
