"""What a process does to its own disk: files, folders, databases, and the processes it starts.

Two runs have other temporary folders, and `tempfile` draws names. So a path in the temporary folder
is compared without it, and all names that `tempfile` draws count as one.
"""

from __future__ import annotations

import os
import sqlite3
import sqlite3.dbapi2
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dacapo.process.user_modules import replacing

_DRAWN = "<temporary>"
_TEMPORARY = "<tmp>"
_IN_MEMORY = (":memory:", "")

CHANGES: dict[str, Callable[[tuple[Any, ...]], tuple[Any, ...]]] = {
    "open": lambda a: a[:1] if _is_written(a[1], a[2]) else (),
    "os.remove": lambda a: a[:1],
    "os.rename": lambda a: a[:2],
    "os.mkdir": lambda a: a[:1],
    "os.rmdir": lambda a: a[:1],
    "os.link": lambda a: a[:2],
    "os.symlink": lambda a: a[:2],
    "os.truncate": lambda a: a[:1],
    "subprocess.Popen": lambda a: a[1:2],
    "os.system": lambda a: a[:1],
    "os.posix_spawn": lambda a: a[1:2],
}
"""Audit events that may change something, and to what: a file, source and target, or a command."""
DISK = frozenset(name for name in CHANGES if name == "open" or name.startswith("os.")) - {
    *("os.system", "os.posix_spawn")
}
"""Names of what changes files and folders."""


def changed_by(event: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what an audit event changes; () if it changes nothing.

    Parameters:
        event, arguments: see `sys.addaudithook`.
    """
    describe = CHANGES.get(event)
    return describe(arguments) if describe else ()


def _is_written(mode: str | None, flags: int) -> bool:
    if mode is not None:
        return any(letter in mode for letter in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "DROP", "ALTER")


class OwnFiles:
    """Describes what audit events do to the disk, in the same words in every run.

    Parameters:
        executed: receives each statement that changes a database of SQLite, except in memory.
    """

    def __init__(self, executed: Callable[[str], None] = lambda _: None) -> None:
        self._executed = executed
        self._drawn: set[str] = set()
        self._folder = tempfile.gettempdir()

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note a name that `tempfile` draws."""
        if event in ("tempfile.mkstemp", "tempfile.mkdtemp"):
            self._drawn.add(os.fspath(arguments[0]))

    @contextmanager
    def following_databases(self) -> Iterator[None]:
        """Context manager that follows every database that is opened."""

        def connect(*arguments: Any, **named: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = really_connect(*arguments, **named)
            if _file_of(connection) not in _IN_MEMORY:
                connection.set_trace_callback(self._trace)
            return connection

        really_connect = sqlite3.connect
        with (
            replacing(sqlite3.dbapi2, really_connect, connect),
            replacing(sqlite3, really_connect, connect),
        ):
            yield

    def _trace(self, statement: str) -> None:
        if statement.lstrip().upper().startswith(_WRITES):
            self._executed(self.common(statement))

    def common(self, text: str) -> str:
        """Return a text without the names that differ between runs."""
        for path in sorted(self._drawn, key=len, reverse=True):
            text = text.replace(path, _DRAWN)
        # Not `gettempdir()`: it holds a lock while it tries folders, which is an event itself.
        return text.replace(tempfile.tempdir or self._folder, _TEMPORARY)


def _file_of(connection: sqlite3.Connection) -> str:
    cursor = sqlite3.Cursor(connection)
    cursor.row_factory = None
    rows = cursor.execute("PRAGMA database_list").fetchall()
    return next((row[2] for row in rows if row[1] == "main"), "")
