"""Let the invoked function limit its time: an invoke that loses a race keeps running.

`max_concurrency` limits branches: one that waits for an invoke keeps its place until it ends. So a
map with `max_concurrency=2` has two invokes in flight, as long as each branch waits for its own. An
invoke has no timeout, so it is tempting to race it against a wait. But nothing cancels the loser:
the branch ends, the next branch starts another invoke, and the service behind is overrun. A quick
test misses this because every invoke in it is fast. If the invoked function limits its own time,
the branch ends when the work does.
"""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import BatchResult, DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import (
    CompletionConfig,
    Duration,
    MapConfig,
    ParallelConfig,
)

from dacapo import Scenario
from gotchas import shop

SHOWS = "six renderings run at once, although the renderer is licensed for two"
SHOWS_AT = '"render:live"'

TEN_MINUTES = Duration.from_minutes(10)
AN_HOUR = 60
TWO_AT_A_TIME: MapConfig[Any] = MapConfig(max_concurrency=2)
FIRST_ONE = ParallelConfig(completion_config=CompletionConfig(min_successful=1))


@durable_execution
def render(event: dict[str, Any], context: DurableContext) -> str:
    """Render a film, which takes an hour; give up at the limit, if there is one."""
    minutes = event.get("limit", AN_HOUR)
    context.wait(Duration.from_minutes(minutes), name=f"render {event['film']}")
    return "late" if minutes < AN_HOUR else "rendered"


@durable_execution
def broken(event: list[str], context: DurableContext) -> list[str]:
    """Render films, two at a time, for ten minutes each at most."""

    def film(branch: DurableContext, name: str, *_: Any) -> str:
        def rendered(child: DurableContext) -> str:
            return child.invoke("render:live", {"film": name}, name=f"render {name}")

        def late(child: DurableContext) -> str:
            child.wait(TEN_MINUTES, name=f"limit of {name}")
            return "late"  # the invoke keeps running

        contenders = [rendered, late]
        race: BatchResult[str] = branch.parallel(contenders, name=f"race {name}", config=FIRST_ONE)
        return race.get_results()[0]

    films: BatchResult[str] = context.map(event, film, name="films", config=TWO_AT_A_TIME)
    return films.get_results()


@durable_execution
def fixed(event: list[str], context: DurableContext) -> list[str]:
    """Let the renderer give up after ten minutes, and wait for that."""

    def film(branch: DurableContext, name: str, *_: Any) -> str:
        return branch.invoke("render:live", {"film": name, "limit": 10}, name=f"render {name}")

    films: BatchResult[str] = context.map(event, film, name="films", config=TWO_AT_A_TIME)
    return films.get_results()


_FILMS = ["Alien", "Brazil", "Casablanca", "Dune", "Elf", "Fargo"]

breaks = Scenario(handler=broken, event=_FILMS, world=shop.world, functions={"render": render})
holds = Scenario(handler=fixed, event=_FILMS, world=shop.world, functions={"render": render})
