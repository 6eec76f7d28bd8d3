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

CHANGES: dict[str, Callable[[tuple[Any, ...]], str | None]] = {
    "open": lambda a: f"open {a[0]!r}" if writes(a[1], a[2]) else None,
    "os.remove": lambda a: f"os.remove {a[0]!r}",
    "os.rename": lambda a: f"os.rename {a[0]!r} {a[1]!r}",
    "os.mkdir": lambda a: f"os.mkdir {a[0]!r}",
    "os.rmdir": lambda a: f"os.rmdir {a[0]!r}",
    "os.link": lambda a: f"os.link {a[0]!r} {a[1]!r}",
    "os.symlink": lambda a: f"os.symlink {a[0]!r} {a[1]!r}",
    "os.truncate": lambda a: f"os.truncate {a[0]!r}",
    "subprocess.Popen": lambda a: f"subprocess.Popen {a[1]!r}",
    "os.system": lambda a: f"os.system {a[0]!r}",
    "os.posix_spawn": lambda a: f"os.posix_spawn {a[1]!r}",
}
"""Audit events that change something, and how to describe them: a name, and what it is done to."""

DISK = frozenset(name for name in CHANGES if name == "open" or name.startswith("os.")) - {
    *("os.system", "os.posix_spawn")
}
"""Names of what changes files and folders."""
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

    def changed(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        """Return what an audit event changes, or None if it changes nothing that is watched."""
        describe = CHANGES.get(event)
        text = describe(arguments) if describe else None
        return None if text is None else self._common(text)

    def _trace(self, statement: str) -> None:
        if statement.lstrip().upper().startswith(_WRITES):
            self._executed(self._common(statement))

    def _common(self, text: str) -> str:
        for path in sorted(self._drawn, key=len, reverse=True):
            text = text.replace(path, _DRAWN)
        # Not `gettempdir()`: it holds a lock while it tries folders, which is an event itself.
        return text.replace(tempfile.tempdir or self._folder, _TEMPORARY)


def writes(mode: str | None, flags: int) -> bool:
    """Return whether a file that is opened like this may be changed."""
    if mode is not None:
        return any(letter in mode for letter in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR))


def _file_of(connection: sqlite3.Connection) -> str:
    cursor = sqlite3.Cursor(connection)
    cursor.row_factory = None
    rows = cursor.execute("PRAGMA database_list").fetchall()
    return next((row[2] for row in rows if row[1] == "main"), "")
