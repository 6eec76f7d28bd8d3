"""Make the body of a child context deterministic: a result above 256 KB is recomputed on replay.

The body of a completed child context usually doesn't run again; its result is read back. A result
above 256 KB isn't stored, though, so every later replay runs the body again. The steps in it are
read back, and everything else is recomputed. A quick test misses this: with a few codes instead of
thousands, the result is stored. Put anything nondeterministic in a step of the child, and derive
the rest from its result.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "the winner gets one code before the wait, and a different one in the reminder after it"
SHOWS_AT = 'name="remind the winner"'

A_WEEK = Duration.from_days(7)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Generate voucher codes, send the winner the first one, and remind them a week later."""

    def make(_: DurableContext) -> list[str]:
        return [secrets.token_hex(32) for _ in range(event["codes"])]  # different ones on replay

    codes = context.run_in_child_context(make, name="make the codes")
    context.step(lambda _: shop.send(codes[0]), name="send the winner's code")
    context.wait(A_WEEK, name="leave it a week")
    context.step(lambda _: shop.send(codes[0]), name="remind the winner")
    return "reminded"


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Derive the codes from a secret that a step generates once."""

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
