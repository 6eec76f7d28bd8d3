"""The deploy gate: would executions that are in flight survive today's code?

Histories that other code made are replayed from every point. What only changes what is still to
come (another length of a wait, another result) harms nobody, and is no more than suspected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from aws_durable_execution_sdk_python.lambda_service import OperationType

from dacapo.scenario import START
from dacapo.service.functions import Handler
from dacapo.simulation import Simulation
from dacapo.verify import limits, outside, rewound
from dacapo.verify.causes import gathered
from dacapo.verify.findings import SUSPECTED, Code, Finding
from dacapo.verify.log import Log
from dacapo.verify.points import DEFAULT_POINTS, chosen
from dacapo.verify.watch import watching

_HARMLESS = (Code.OTHER_WAIT, Code.OTHER_CALLBACK, Code.OTHER_INVOKE, Code.OTHER_RESULT)
"""What the service and the SDK keep as it was recorded, or take as it comes."""


def check(
    handler: Handler,
    log: Log,
    most: int | None = DEFAULT_POINTS,
    beat: Callable[[], None] = lambda: None,
) -> list[Finding]:
    """What is wrong with replaying a history in this code.

    Parameters:
        handler: today's.
        log: a history that any code made, ended or not.
        most: how many points to replay from at least, if there are more; None for all.
        beat: is called before each replay.

    Raises:
        Truncated: a payload of the history was cut.
        NetworkRefused: the handler calls AWS outside every step.
    """
    log = replace(log, is_complete=False)
    with Simulation(0, START).running(), watching() as watch:
        found = list(rewound.findings(handler, log, chosen(log.versions, most), beat=beat))
    seen = (outside.suspicion(sighting, count) for sighting, count in Counter(watch.seen).items())
    return gathered([*(_judged(finding) for finding in found), *seen, *_unnamed(log)])


def _judged(finding: Finding) -> Finding:
    return replace(finding, certainty=SUSPECTED) if finding.code in _HARMLESS else finding


def _unnamed(log: Log) -> Iterator[Finding]:
    unnamed = [
        operation
        for operation in log.final.values()
        if operation.operation_type is not OperationType.EXECUTION
        and not operation.name
        and operation.sub_type not in limits.UNNAMED_BY_NATURE
    ]
    if unnamed:
        message = f"{len(unnamed)} operations of the history have no name: who can tell them apart?"
        yield Finding(Code.UNNAMED_OPERATION, SUSPECTED, message, rewound.NAME)
