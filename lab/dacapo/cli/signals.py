"""SIGTERM and SIGINT end a command in order: no process and no temporary folder is left behind."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from dacapo.cli.exit_status import SIGNALED
from dacapo.process.active_run import ACTIVE


class Interrupted(BaseException):
    """A signal asks the command to end.

    Parameters:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def ended_by_signals(command: Callable[[], object]) -> None:
    """Run a command, and leave with 128 + the number of the signal if one ends it."""
    if threading.current_thread() is not threading.main_thread():
        command()
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    os.register_at_fork(after_in_child=_restore)
    interrupted = 0
    try:
        command()
    except Interrupted as why:
        interrupted = why.number
    except KeyboardInterrupt:
        interrupted = signal.SIGINT
    if interrupted:
        _leave(interrupted)


def _interrupt(number: int, _: FrameType | None) -> NoReturn:
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(number)


_interrupt.is_default = True  # type: ignore[attr-defined] # see `dacapo.process.exits`


def _restore() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(number: int) -> NoReturn:
    # What holds a worker is closed with the frames of the traceback. A thread of the handler's that
    # never ends must not keep the process.
    ACTIVE.scheduler = None
    gc.collect()
    atexit._run_exitfuncs()  # noqa: SLF001 - no other way to run them and not wait for threads
    sys.stderr.flush()
    os._exit(SIGNALED + number)
