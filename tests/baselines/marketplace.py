"""Both systems of `fan_out` on a stage, and the actions of their clients."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from baselines import fan_out as baseline
from patterns.fan_out import handler, mail, start
from scenarios.worlds import loopback
from scenarios.worlds.marketplace import (
    API,
    BOOKKEEPING,
    CONTROLLER,
    JSON,
    MAIL,
    POSTING_REQUEST,
    SELLER,
    Marketplace,
    address,
    marketplace_world,
)
from scenarios.worlds.stage import Stage, on_stage

BASELINE = {API: baseline.add_posting, CONTROLLER: baseline.controller}
DURABLE = {API: start.handler, BOOKKEEPING: handler.handler, MAIL: mail.handler}
TEN = 10


class System:
    """One of the two complete systems: an API, the functions behind it, and their world."""

    def __init__(self, stage: Stage, world: Marketplace, readers: int) -> None:
        self.stage = stage
        self.world = world
        self.readers = readers

    def post(self, seller: str = SELLER) -> int:
        """Post the job posting, and return the HTTP status code that the client sees."""
        response = self.stage.call(API, request(seller=seller))
        return 500 if response is None else int(response["statusCode"])

    def post_until_accepted(self) -> None:
        """Post the job posting, and retry every second while the status code is 500 or above."""
        while self.post() >= 500:
            self.stage.pass_time(1)

    @property
    def deliveries(self) -> str:
        """The number of subscribers by how many emails each received, in words."""
        numbers = Counter(self.world.notified[address(n)] for n in range(self.readers))
        words = {0: "never", 1: "once", 2: "twice"}
        parts = [
            f"{count} of {self.readers} {words.get(times, f'{times} times')}"
            for times, count in sorted(numbers.items(), reverse=True)
        ]
        return ", ".join(parts)

    @property
    def statuses(self) -> str:
        """The visible results of the background work: execution statuses or dead letters."""
        executions = self.stage.simulation.service.executions.values()
        texts = [execution.status.value for execution in executions]
        letters = self.stage.dead_letters
        return ", ".join(texts) or f"dead letters: {letters}"

    @property
    def listed(self) -> int:
        """The number of subscribers that the result lists as not notified."""
        results = [e.result for e in self.stage.simulation.service.executions.values()]
        return sum(len(json.loads(result)["not_notified"]) for result in results if result)


def request(**changes: str) -> dict[str, Any]:
    """Return the HTTP API's event for a job posting.

    Parameters:
        changes: fields of the posting to replace.
    """
    body = json.dumps(POSTING_REQUEST | changes).encode()
    sent = loopback.Request("POST", "/postings", JSON, body)
    return loopback.event_of(sent, "POST /postings", {})


@contextmanager
def system(functions: Any, *, readers: int = TEN, **world: Any) -> Iterator[System]:
    """Context manager that stages one of the two systems, before anything is posted.

    Parameters:
        functions: `BASELINE` or `DURABLE`.
        readers: number of subscribers.
        world: further options of `marketplace_world`.
    """
    make_world = partial(marketplace_world, readers=readers, is_posted=False, **world)
    with on_stage(make_world, functions) as (stage, market):
        yield System(stage, market, readers)
