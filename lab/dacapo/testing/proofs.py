"""Verifies what a test ran: what it did from outside is a scenario, and its world is the test's.

A world that a test has built (tables in moto, environment variables, patches) cannot be built
again. So before an execution starts, the process is forked: the copy keeps everything as it is at
that moment. When the test has ended, the copy learns what the test did, and verifies the handler:
each of its runs begins in a process of its own, forked from the copy.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import NoReturn

from dacapo.errors import DacapoError
from dacapo.process import children, messages
from dacapo.process.active_run import ACTIVE
from dacapo.simulation import boto
from dacapo.testing import mocks
from dacapo.testing.actions import Actions, Inferred, NotInferred
from dacapo.testing.session import leave_current, turn
from dacapo.verify.verifier import verify


@dataclass(frozen=True)
class Proof:
    """The outcome for one execution of a test.

    Parameters:
        verdict: `survives`, `breaks` or `not verified`.
        findings: what is proved.
        reasons: why it is not verified.
    """

    verdict: str
    findings: Sequence[str] = ()
    reasons: Sequence[str] = ()

    def __str__(self) -> str:
        """Return it as text."""
        return "\n".join([self.verdict, *(f"  {one}" for one in (*self.findings, *self.reasons))])


@dataclass
class _Copy:
    """A process that keeps everything as it was before an execution started.

    Parameters:
        process: its ID; None if there is none, because of the mocks.
        connection: to it.
        mocks: what stood in for something then, described.
        variables: those of the test that the handler uses, at that moment.
        number: of the execution among those of its runner.
    """

    process: int | None
    connection: Connection | None
    mocks: list[str]
    variables: dict[str, str]
    number: int


@dataclass
class Test:
    """A test whose executions are verified when it has ended.

    Parameters:
        file: the file that it is in.
    """

    __test__ = False  # pytest must not collect it

    file: str
    _copies: list[tuple[Actions, _Copy]] = field(default_factory=list)

    def watch(self, actions: Actions) -> None:
        """Follow what the test does with a runner."""
        actions.on_starting = lambda: self._copies.append((actions, _copy(actions, self.file)))

    def proofs(self) -> list[Proof]:
        """Verify each execution that the test started, and return the outcomes."""
        leave_current()
        return [self._proof(actions, copy) for actions, copy in self._copies]

    def end(self) -> None:
        """End the processes of this."""
        for _, copy in self._copies:
            if copy.connection is not None and copy.process is not None:
                copy.connection.close()
                children.end_group(copy.process)
                with suppress(ChildProcessError):
                    os.waitpid(copy.process, 0)
        self._copies.clear()

    def _proof(self, actions: Actions, copy: _Copy) -> Proof:
        changed = mocks.changed(copy.variables, *actions.handlers)
        obstacles = list(dict.fromkeys((*copy.mocks, *changed)))
        if obstacles or copy.connection is None:
            names = "; ".join(obstacles)
            return _not_verified(f"a scenario can't have what lives in the test: {names}")
        try:
            messages.send(copy.connection, actions.inferred(actions.executions[copy.number]))
            proof: Proof = messages.receive(copy.connection)
        except NotInferred as why:
            return _not_verified(f"no scenario can be inferred: {why}")
        except (EOFError, OSError, messages.Unsendable) as error:
            return _not_verified(f"the process that verifies it has ended: {error}")
        return proof


def _not_verified(reason: str) -> Proof:
    return Proof("not verified", (), (reason,))


def _copy(actions: Actions, file: str) -> _Copy:
    """Return a copy of this process, if what the test did can be verified.

    Parameters:
        file: the test's file.
    """
    seen = mocks.mocks(file, *actions.handlers)
    variables = mocks.variables_of(*actions.handlers)
    process, connection = (None, None) if seen else _fork(actions)
    return _Copy(process, connection, seen, variables, len(actions.executions))


def _fork(actions: Actions) -> tuple[int, Connection]:
    boto.share_models()
    ours, theirs = Pipe()
    parent = os.getpid()
    with turn(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: none of them is needed
        process = os.fork()
    if process == 0:
        ours.close()
        _be_copy(actions, theirs, parent)
    theirs.close()
    with suppress(OSError):  # it has done so itself
        os.setpgid(process, process)
    return process, ours


def _be_copy(actions: Actions, connection: Connection, parent: int) -> NoReturn:
    try:
        children.die_with_parent(parent)
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _be_silent()
        leave_current()
        actions.forbid()
        inferred = messages.receive(connection)
        messages.send(connection, _proof_of(inferred, actions))
    finally:
        os._exit(0)  # what pytest and others do at exit is not this process's to do


def _be_silent() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123


def _proof_of(inferred: Inferred, actions: Actions) -> Proof:
    try:
        report = verify(inferred.scenario(actions.handler, actions.functions))
    except DacapoError as error:
        return _not_verified(f"the scenario that was inferred can't be run: {error}")
    except Exception as error:  # noqa: BLE001 - one line in the report of the test
        return _not_verified(f"{type(error).__name__}: {error}")
    findings = [f"{f.code} at {f.place}: {f.message}" for f in report.proved]
    return Proof(report.verdict.value, tuple(findings), tuple(report.reasons))


@contextmanager
def following(file: str) -> Iterator[Test]:
    """Context manager with a test, from its fixtures to their end.

    Parameters:
        file: the file that it is in.
    """
    test = Test(file)
    try:
        with ACTIVE.serving(test=test):
            yield test
    finally:
        test.end()
