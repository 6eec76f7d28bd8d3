"""The deploy gate: would executions that are in flight survive today's code?

Histories that other code made are replayed from every point. What only changes what is still to
come (another length of a wait, another result) harms nobody, and is no more than suspected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from dacapo.safety import NetworkRefused
from dacapo.scenario import START
from dacapo.service.functions import Handler
from dacapo.simulation import Simulation
from dacapo.verify import guarded, outside, rewound
from dacapo.verify.causes import gathered
from dacapo.verify.findings import PROVED, SUSPECTED, Code, Finding, proved
from dacapo.verify.limits import lacks_name
from dacapo.verify.log import Log
from dacapo.verify.points import DEFAULT_POINTS, chosen
from dacapo.verify.watch import Watch, watching

_HARMLESS = (Code.OTHER_WAIT, Code.OTHER_CALLBACK, Code.OTHER_INVOKE, Code.OTHER_RESULT)
"""What the service and the SDK keep as it was recorded, or take as it comes."""


@dataclass(frozen=True)
class Replayed:
    """What replaying a history came to.

    Parameters:
        points: from how many it was replayed.
    """

    points: int
    findings: list[Finding]

    @property
    def proved(self) -> list[Finding]:
        """The findings that a replay showed."""
        return proved(self.findings)


def check_all(
    handler: Handler,
    logs: Mapping[str, Log],
    most: int | None = DEFAULT_POINTS,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Replayed]:
    """What is wrong with replaying these histories, in a process that a handler can't take down.

    Parameters:
        handler: today's.
        logs: histories that any code made, ended or not, by the names of their files.
        most: how many points to replay from at least, if there are more; None for all.
        progress: is told the name of each file as it goes on.
    """

    def work(tell: guarded.Tell) -> None:
        for name, log in logs.items():
            tell((name, check(handler, log, most, partial(tell, name))))

    done: dict[str, Replayed] = {}
    for _, told in guarded.told([work]):
        if isinstance(told, str):
            progress(told)
        elif isinstance(told, guarded.Stopped):
            stopped_in = next(name for name in logs if name not in done)
            done[stopped_in] = Replayed(0, [replace(told.finding, experiment=rewound.NAME)])
        else:
            name, replayed = told
            done[name] = replayed
    return done


def check(
    handler: Handler,
    log: Log,
    most: int | None = DEFAULT_POINTS,
    beat: Callable[[], None] = lambda: None,
) -> Replayed:
    """What is wrong with replaying one history; see `check_all`.

    Parameters:
        beat: is called before each replay.
    """
    log = replace(log, is_complete=False)
    points = chosen(log.versions, most)
    try:
        with watching() as watch, Simulation(0, START).running():
            found = list(rewound.findings(handler, log, points, beat=beat))
    except NetworkRefused:
        found = [_asks_outside(watch)]
    judged = (_judged(finding) for finding in found)
    suspicions = outside.suspicions(watch.seen)
    return Replayed(len(points), gathered([*judged, *suspicions, *_unnamed(log)]))


def _asks_outside(watch: Watch) -> Finding:
    what, place = (watch.seen[-1].what, watch.seen[-1].place) if watch.seen else ("it", None)
    message = f"{what} is called outside every step, where a replay has nobody to answer it"
    return Finding(Code.EFFECT_OUTSIDE_STEP, PROVED, message, rewound.NAME, place)


def _judged(finding: Finding) -> Finding:
    return replace(finding, certainty=SUSPECTED) if finding.code in _HARMLESS else finding


def _unnamed(log: Log) -> Iterator[Finding]:
    unnamed = sum(1 for operation in log.final.values() if lacks_name(operation))
    if unnamed:
        message = f"{unnamed} operations of the history have no name: who can tell them apart?"
        yield Finding(Code.UNNAMED_OPERATION, SUSPECTED, message, rewound.NAME)
