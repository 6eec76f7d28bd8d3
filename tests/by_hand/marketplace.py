"""Both systems of `fan_out` on a stage, and what a client does to them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from patterns.fan_out import add_leed, before, handler, mail
from scenarios.worlds import loopback
from scenarios.worlds.marketplace import (
    API,
    BOOKKEEPING,
    CONTROLLER,
    JSON,
    MAIL,
    POSTING,
    SELLER,
    Marketplace,
    address,
    marketplace_world,
)
from scenarios.worlds.stage import Stage, on_stage

BY_HAND = {API: before.add_leed, CONTROLLER: before.controller}
DURABLE = {API: add_leed.handler, BOOKKEEPING: handler.handler, MAIL: mail.handler}
TEN = 10


class System:
    """One of the two, whole: an API, what it hands on to, and the world around them."""

    def __init__(self, stage: Stage, world: Marketplace, readers: int) -> None:
        self.stage = stage
        self.world = world
        self.readers = readers

    def post(self, seller: str = SELLER) -> int:
        """Post the leed; the status that the client sees."""
        answer = self.stage.call(API, request(seller=seller))
        return 500 if answer is None else int(answer["statusCode"])

    def post_until_taken(self) -> None:
        """Post the leed, and again as long as there is reason to."""
        while self.post() >= 500:
            self.stage.pass_time(1)

    @property
    def told(self) -> str:
        """How many subscribers were told, and how often."""
        numbers = Counter(self.world.told[address(n)] for n in range(self.readers))
        words = {0: "not told", 1: "once", 2: "twice"}
        parts = [
            f"{count} of {self.readers} {words.get(times, f'{times} times')}"
            for times, count in sorted(numbers.items(), reverse=True)
        ]
        return ", ".join(parts)

    @property
    def ended(self) -> str:
        """How what was started in the background ended, as whoever watches it sees it."""
        executions = self.stage.simulation.service.executions.values()
        statuses = [execution.status.value for execution in executions]
        letters = self.stage.dead_letters
        return ", ".join(statuses) or (f"{letters} dead letters" if letters else "no dead letter")

    @property
    def named(self) -> int:
        """How many subscribers the result names as not told."""
        results = [e.result for e in self.stage.simulation.service.executions.values()]
        return sum(len(json.loads(result)["not_told"]) for result in results if result)


def request(**changes: str) -> dict[str, Any]:
    """A posting, as the HTTP API hands it on."""
    body = json.dumps(POSTING | changes).encode()
    sent = loopback.Request("POST", "/leeds", JSON, body)
    return loopback.event_of(sent, "POST /leeds", {})


@contextmanager
def system(functions: Any, *, readers: int = TEN, **world: Any) -> Iterator[System]:
    """One of the two systems, before anything is posted."""
    made = partial(marketplace_world, readers=readers, is_posted=False, **world)
    with on_stage(made, functions) as (stage, market):
        yield System(stage, market, readers)
