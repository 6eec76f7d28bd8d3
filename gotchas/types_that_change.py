"""Return JSON values from a step, with strings as dictionary keys.

A result is serialized and deserialized before the handler gets it, on the first run too. Numeric
keys come back as strings, a namedtuple as a tuple, a `StrEnum` or `IntEnum` member as a plain
value; a dataclass, a set, or a plain `Enum` fails with `SerDesError`. So `stock[17]` never exists,
even without a replay, and code that reads it with `get` and a default doesn't notice.
"""

from __future__ import annotations

from aws_durable_execution_sdk_python import DurableContext, durable_execution

from dacapo import Scenario
from gotchas import shop

SHOWS = "the key 17 comes back as '17', so an article in stock is reported as sold out"
SHOWS_AT = 'name="tell the customer"'


@durable_execution
def broken(event: dict[str, int], context: DurableContext) -> str:
    """Check whether an article is in stock, and notify the customer."""
    article = event["article"]
    stock = context.step(lambda _: {17: 3, 18: 0}, name="count the stock")  # numeric keys
    state = "in stock" if stock.get(article, 0) else "sold out"
    context.step(lambda _: shop.send(f"article {article} is {state}"), name="tell the customer")
    return state


@durable_execution
def fixed(event: dict[str, int], context: DurableContext) -> str:
    """Use strings as keys."""
    article = event["article"]
    stock = context.step(lambda _: {"17": 3, "18": 0}, name="count the stock")
    state = "in stock" if stock.get(str(article), 0) else "sold out"
    context.step(lambda _: shop.send(f"article {article} is {state}"), name="tell the customer")
    return state


breaks = Scenario(handler=broken, event={"article": 17}, world=shop.world)
holds = Scenario(handler=fixed, event={"article": 17}, world=shop.world)
