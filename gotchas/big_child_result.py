"""Make the body of a child context repeatable: a result above 256 KB is not kept, but made again.

Usually a child context's body is not run again once it has ended; its result is read back. A result
above 256 KB is not stored, though, and every later replay runs the body again, with the steps in it
read back. What it makes outside a step is then made anew. Nobody notices in a quick test: with a
few codes instead of thousands the result is stored, and all is well. Draw what can't be worked out
again in a step of the child, and work out the rest.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "the winner is sent one code before the wait, and reminded of another one after it"

A_WEEK = Duration.from_days(7)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Make voucher codes, send the first to the winner, and a reminder a week later."""

    def make(_: DurableContext) -> list[str]:
        return [secrets.token_hex(32) for _ in range(event["codes"])]  # others on replay

    codes = context.run_in_child_context(make, name="make the codes")
    context.step(lambda _: shop.send(codes[0]), name="send the winner's code")
    context.wait(A_WEEK, name="leave it a week")
    context.step(lambda _: shop.send(codes[0]), name="remind the winner")
    return "reminded"


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """The same, with codes that follow from a secret that was drawn once."""

    def make(child: DurableContext) -> list[str]:
        secret = child.step(lambda _: secrets.token_hex(32), name="draw a secret")
        return [_code(secret, n) for n in range(event["codes"])]

    codes = context.run_in_child_context(make, name="make the codes")
    context.step(lambda _: shop.send(codes[0]), name="send the winner's code")
    context.wait(A_WEEK, name="leave it a week")
    context.step(lambda _: shop.send(codes[0]), name="remind the winner")
    return "reminded"


def _code(secret: str, number: int) -> str:
    return hashlib.sha256(f"{secret} {number}".encode()).hexdigest()


breaks = Scenario(handler=broken, event={"codes": 5_000}, world=shop.world)
holds = Scenario(handler=fixed, event={"codes": 5_000}, world=shop.world)
