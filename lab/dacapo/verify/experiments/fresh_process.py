"""Fresh process: the same points, replayed in one fresh process, at another time.

What a handler takes from its process (the order of a set, a warm cache, the clock, randomness)
differs there. The last point comes first, while the process is cold; then all of them, while it
warms up.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

from dacapo.errors import NetworkRefused
from dacapo.history.recording import Recording
from dacapo.history.replay_log import Log
from dacapo.scenario import START
from dacapo.simulation.simulation import Simulation
from dacapo.verify.compare import replays
from dacapo.verify.experiments.reference import Experiment, NotRun, Reference, Tally
from dacapo.verify.experiments.sensitivity import LATER
from dacapo.verify.findings import Code, Evidence, ExperimentName, Observation
from dacapo.verify.workers import fresh

NAME = ExperimentName.FRESH_PROCESS
OTHER_SEED = 1


@dataclass(frozen=True)
class _Task:
    """A request to the fresh process: replay this handler.

    Parameters:
        handler: `module:name`, to import there.
        path: `sys.path` here.
        folder: the working directory here.
        environment: what the handler's world sets.
        recording: as JSON values.
        points: to replay from, each as the number of states that make it.
    """

    handler: str
    path: list[str]
    folder: str
    environment: dict[str, str]
    recording: dict[str, Any]
    points: list[int]


@dataclass(frozen=True)
class _Refused:
    """The fresh process cannot replay: says why."""

    reason: str


def _fresh_process(reference: Reference, tally: Tally) -> Iterator[Observation]:
    task = _task(reference)
    tally.count(len(reference.points) + 1)
    try:
        answer = fresh.ask(task, tally.beat)
    except fresh.WorkerSilent:
        seconds = fresh.PATIENCE_SECONDS
        message = f"replayed in another process, it does nothing for {seconds} s"
        yield Observation(Code.STUCK, Evidence.DIFFERENCE, message, NAME)
    except fresh.WorkerEnded:
        message = "replayed in another process, it ends that process"
        yield Observation(Code.DIED, Evidence.DIFFERENCE, message, NAME)
    else:
        if isinstance(answer, _Refused):
            raise NotRun(answer.reason)
        yield from reference.judged(answer)


def _task(reference: Reference) -> _Task:
    handler = reference.scenario.handler
    name = f"{handler.__module__}:{handler.__qualname__}"
    if _find(name) is not handler:
        raise NotRun(f"{name} cannot be imported in another process")
    return _Task(
        name,
        [entry or str(Path.cwd()) for entry in sys.path],
        str(Path.cwd()),
        dict(reference.environment),
        reference.run.recording.to_json(),
        list(reference.points),
    )


def _work(task: _Task, beat: Callable[[], None]) -> list[Observation] | _Refused:
    """Replay what is asked for, and return what it shows, or why it cannot be done."""
    logging.disable(logging.CRITICAL)
    os.chdir(task.folder)
    os.environ.clear()
    os.environ.update(task.environment)
    sys.path[:] = task.path
    try:
        handler = _find(task.handler)
        log = Log.of(Recording.from_json(task.recording))
        with Simulation(OTHER_SEED, START + LATER).running():
            last = len(log.states)
            cold = log.replay(handler, last)
            observations = [
                *replays.at_point(handler, log, last, cold, NAME),
                *replays.observations(handler, log, task.points, NAME, beat),
            ]
    except NetworkRefused:
        return _Refused("it calls AWS outside every step, and nobody answers in another process")
    except NotRun as why:
        return _Refused(str(why))
    return list(dict.fromkeys(observations))


def _find(name: str) -> Any:
    module, _, path = name.partition(":")
    try:
        return reduce(getattr, path.split("."), import_module(module))
    except (AttributeError, ImportError) as error:
        raise NotRun(f"{name} cannot be imported: {error}") from error


def serve(address: str) -> None:
    """Be the fresh process: listen at `address`, and replay what is asked for."""
    fresh.serve(address, _work)


FRESH_PROCESS = Experiment(NAME, _fresh_process)
