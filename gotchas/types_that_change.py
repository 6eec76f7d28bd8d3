"""Return from a step what JSON can hold, and no dict with other keys than text.

A result goes through a serializer and back before the handler sees it, on the first run too. Keys
that are numbers come back as text, a namedtuple as a tuple, a member of a `StrEnum` or `IntEnum` as
a plain value; a dataclass, a set or a plain `Enum` fails with `SerDesError`. So this is no matter
of replay: `stock[17]` was never there. Nobody notices where it is read with `get` and a default.
"""

from __future__ import annotations

from aws_durable_execution_sdk_python import DurableContext, durable_execution

from dacapo import Scenario
from gotchas import shop

SHOWS = "the step returns {17: 3}, the log has {'17': 3}, and the handler finds nothing at 17"


@durable_execution
def broken(event: dict[str, int], context: DurableContext) -> str:
    """Look whether an article is in stock, and tell the customer."""
    article = event["article"]
    stock = context.step(lambda _: {17: 3, 18: 0}, name="count the stock")  # numbers as keys
    state = "in stock" if stock.get(article, 0) else "sold out"
    context.step(lambda _: shop.send(f"article {article} is {state}"), name="tell the customer")
    return state


@durable_execution
def fixed(event: dict[str, int], context: DurableContext) -> str:
    """The same, with text as keys."""
    article = event["article"]
    stock = context.step(lambda _: {"17": 3, "18": 0}, name="count the stock")
    state = "in stock" if stock.get(str(article), 0) else "sold out"
    context.step(lambda _: shop.send(f"article {article} is {state}"), name="tell the customer")
    return state


breaks = Scenario(handler=broken, event={"article": 17}, world=shop.world)
holds = Scenario(handler=fixed, event={"article": 17}, world=shop.world)
