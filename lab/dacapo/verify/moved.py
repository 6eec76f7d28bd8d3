"""Moved: the same points, replayed in one fresh process, at another time, with other chance.

What a handler takes from its process (the order of a set, a warm cache, a clock, chance) is another
there. The last point comes first, while the process is cold; then all of them, while it warms up.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

from dacapo.recording import Recording
from dacapo.safety import NetworkRefused
from dacapo.scenario import START
from dacapo.service.functions import Handler
from dacapo.simulation import Simulation
from dacapo.verify import elsewhere, rewound
from dacapo.verify.dependence import LATER
from dacapo.verify.findings import PROVED, Code, Finding
from dacapo.verify.log import Log

NAME = "moved"
OTHER_SEED = 1


class CannotMove(Exception):  # noqa: N818 - says what it is
    """The handler can't be found in another process: says why."""


def findings(
    handler: Handler,
    recording: Recording,
    points: Sequence[int],
    environment: Mapping[str, str],
    beat: Callable[[], None] = lambda: None,
) -> Iterator[Finding]:
    """Replay in a fresh process, and tell what is other than recorded.

    Parameters:
        points: to replay from, each as the number of versions that make it.
        environment: what the handler's world sets.
        beat: is called as it goes on.

    Raises:
        CannotMove: the handler can't be imported by name.
    """
    name = f"{handler.__module__}:{handler.__qualname__}"
    if _find(name) is not handler:
        raise CannotMove(f"{name} can't be imported in another process")
    task = {
        "handler": name,
        "path": [entry or str(Path.cwd()) for entry in sys.path],
        "folder": str(Path.cwd()),
        "environment": dict(environment),
        "recording": recording.to_json(),
        "points": list(points),
    }
    try:
        kind, content = elsewhere.ask(task, beat)
    except elsewhere.TookTooLong:
        seconds = elsewhere.PATIENCE_SECONDS
        message = f"replayed in another process, it does nothing for {seconds} s"
        yield Finding(Code.STUCK, PROVED, message, NAME)
    except elsewhere.Ended:
        message = "replayed in another process, it ends that process"
        yield Finding(Code.DIED, PROVED, message, NAME)
    else:
        if kind == "refused":
            raise CannotMove(content)
        yield from content


def _work(task: Mapping[str, Any], beat: Callable[[], None]) -> tuple[str, Any]:
    """Replay what is asked for; what is found, or why it can't be."""
    logging.disable(logging.CRITICAL)
    os.chdir(task["folder"])
    os.environ.clear()
    os.environ.update(task["environment"])
    sys.path[:] = task["path"]
    try:
        handler = _find(task["handler"])
        log = Log.of(Recording.from_json(task["recording"]))
        with Simulation(OTHER_SEED, START + LATER).running():
            last = len(log.versions)
            cold = log.replay(handler, last)
            found = [
                *rewound.at_point(handler, log, last, cold, NAME),
                *rewound.findings(handler, log, task["points"], NAME, beat),
            ]
    except NetworkRefused:
        return "refused", "it calls AWS outside every step, and nobody answers in another process"
    except CannotMove as error:
        return "refused", str(error)
    return "found", list(dict.fromkeys(found))


def _find(name: str) -> Any:
    module, _, path = name.partition(":")
    try:
        return reduce(getattr, path.split("."), import_module(module))
    except (AttributeError, ImportError) as error:
        raise CannotMove(f"{name} can't be imported: {error}") from error


if __name__ == "__main__":
    elsewhere.serve(sys.argv[1], _work)
