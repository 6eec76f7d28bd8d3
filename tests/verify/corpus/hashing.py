"""Orders and numbers that depend on the process's hash seed or on addresses; and what does not."""

from __future__ import annotations

from functools import partial
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import MapConfig

from dacapo import Scenario
from tests.verify.corpus.aws import queue_url, queues
from tests.verify.corpus.case import DIFFERS, HOUR, MINUTE, ORDER, bad, correct

NAMES = ["ada", "bob", "cyd", "dan", "eve", "fay"]

sqs = boto3.client("sqs")


def send(queue: str, body: str) -> None:
    """Send a message that repeats harmlessly: the queue drops duplicates."""
    sqs.send_message(
        QueueUrl=queue_url(queue),
        MessageBody=body,
        MessageGroupId="all",
        MessageDeduplicationId=body.replace(" ", "-"),
    )


# -- a set that makes operations -------------------------------------------------------------------


@durable_execution
def reminders(event: dict[str, list[str]], context: DurableContext) -> list[str]:
    """Remind everyone who is invited and has not answered, one a minute."""
    silent = set(event["invited"]) - set(event["answered"])
    sent = []
    for person in silent:  # <- cause of reminders
        body = partial(remind, person)
        sent.append(context.step(body, name=f"remind {person}"))  # <- cause of reminders
        context.wait(MINUTE, name=f"after {person}")
    return sent


@durable_execution
def reminders_sorted(event: dict[str, list[str]], context: DurableContext) -> list[str]:
    """Sort the set first."""
    sent = []
    for person in sorted(set(event["invited"]) - set(event["answered"])):
        sent.append(context.step(partial(remind, person), name=f"remind {person}"))
        context.wait(MINUTE, name=f"after {person}")
    return sent


def remind(person: str, _: StepContext) -> str:
    return f"remind {person}"


# -- a set that is only iterated within one invocation ---------------------------------------------


@durable_execution
def permissions(event: dict[str, list[str]], context: DurableContext) -> int:
    """Grant each permission of any role in a step; nothing waits in between."""
    wanted = {right for rights in event.values() for right in rights}
    for right in wanted:  # <- cause of permissions
        context.step(partial(grant, right), name=f"grant {right}")  # <- cause of permissions
    return len(wanted)


def grant(right: str, _: StepContext) -> str:
    return f"granted {right}"


@durable_execution
def permissions_in_order(event: dict[str, list[str]], context: DurableContext) -> int:
    """Remove duplicates with a dictionary, which keeps the order."""
    wanted = dict.fromkeys(right for rights in event.values() for right in rights)
    for right in wanted:
        context.step(partial(grant, right), name=f"grant {right}")
    return len(wanted)


# -- a set that is cut into chunks -----------------------------------------------------------------


def send_chunk(chunk: list[str], _: StepContext) -> int:
    for address in chunk:
        send("news.fifo", address)
    return len(chunk)


@durable_execution
def newsletter(event: list[str], context: DurableContext) -> int:
    """Send to each address once, two in a step; the chunks depend on the order of a set."""
    addresses = list({address.lower() for address in event})  # <- cause of newsletter
    sent = 0
    for start in range(0, len(addresses), 2):
        chunk = addresses[start : start + 2]  # <- cause of newsletter
        body = partial(send_chunk, chunk)
        sent += context.step(body, name=f"send chunk {start // 2}")  # <- cause of newsletter
        context.wait(HOUR, name=f"after chunk {start // 2}")
    return sent


@durable_execution
def newsletter_recorded(event: list[str], context: DurableContext) -> int:
    """Turn the set into a list in a step: its order is recorded."""
    addresses = context.step(lambda _: list({a.lower() for a in event}), name="collect")
    sent = 0
    for start in range(0, len(addresses), 2):
        chunk = addresses[start : start + 2]
        sent += context.step(partial(send_chunk, chunk), name=f"send chunk {start // 2}")
        context.wait(HOUR, name=f"after chunk {start // 2}")
    return sent


# -- a set whose branches are a map ----------------------------------------------------------------


@durable_execution
def price_check(event: list[str], context: DurableContext) -> list[str]:
    """Ask each shop once, at the same time; which branch asks which shop depends on a set."""

    def ask(child: DurableContext, shop: str, _: int, __: Any) -> str:
        price = child.step(lambda _: len(shop), name=f"ask {shop}")  # <- cause of price_check
        child.wait(MINUTE, name="be polite")
        return f"{shop}: {price}"

    config: MapConfig[str] = MapConfig(max_concurrency=2)
    shops = list(frozenset(event))  # <- cause of price_check
    answers: Any = context.map(shops, ask, name="ask", config=config)  # <- cause of price_check
    return sorted(answers.get_results())


# -- a hash that decides ---------------------------------------------------------------------------


@durable_execution
def experiment_group(event: dict[str, str], context: DurableContext) -> list[str]:
    """Put each user into one of two groups by the hash of the name."""
    shown = []
    for user in event:
        group = "new" if hash(user) % 2 else "old"  # <- cause of experiment_group
        body = partial(show, user, group)
        answer = context.step(body, name=f"{group} page: {user}")  # <- cause of experiment_group
        shown.append(answer)
        context.wait(MINUTE, name=f"after {user}")
    return shown


def show(user: str, group: str, _: StepContext) -> str:
    return f"{user} sees the {group} page"


@durable_execution
def experiment_group_stable(event: dict[str, str], context: DurableContext) -> list[str]:
    """Choose the group by a checksum."""
    shown = []
    for user in event:
        group = "new" if sum(user.encode()) % 2 else "old"
        shown.append(context.step(partial(show, user, group), name=f"{group} page for {user}"))
        context.wait(MINUTE, name=f"after {user}")
    return shown


# -- an address that becomes a name ----------------------------------------------------------------


class Basket:
    """Items in a basket, without a name of its own."""

    def __init__(self, items: list[str]) -> None:
        self.items = items


@durable_execution
def basket_reservation(event: list[list[str]], context: DurableContext) -> int:
    """Reserve each basket under a key that is unique in this process."""
    baskets = [Basket(items) for items in event]
    for basket in baskets:
        key = f"basket-{id(basket)}"  # <- cause of basket_reservation
        context.step(partial(remind, key), name=f"reserve {key}")  # <- cause of basket_reservation
        context.wait(MINUTE, name="wait for the shelf")
    return len(baskets)


# -- a set that only counts ------------------------------------------------------------------------


@durable_execution
def vote(event: list[str], context: DurableContext) -> dict[str, Any]:
    """Decide by the size and the members of sets, never by their order."""
    voters = set(event)
    context.wait(HOUR, name="wait for the count")
    enough = len(voters) > 3
    if "ada" in voters and enough:
        context.step(lambda _: "announced", name="announce")
    return {"voters": len(voters), "letters": sum(map(len, voters))}


_INVITED = {"invited": NAMES, "answered": ["bob"]}
_ROLES = {"clerk": ["read", "write", "list"], "admin": ["read", "delete", "grant", "audit"]}
_NEWS = partial(queues, "news.fifo")

CASES = (
    bad(Scenario(handler=reminders, event=_INVITED), "hash order", *ORDER),
    bad(Scenario(handler=permissions, event=_ROLES), "hash order", *ORDER),
    bad(Scenario(handler=newsletter, event=NAMES, world=_NEWS), "hash order", *ORDER, *DIFFERS),
    bad(Scenario(handler=price_check, event=NAMES), "hash order", *ORDER),
    bad(
        Scenario(handler=experiment_group, event=dict.fromkeys(NAMES, "")),
        "hash or address",
        *ORDER,
        "randomness-outside-step",
    ),
    bad(
        Scenario(handler=basket_reservation, event=[["tea"], ["milk", "salt"]]),
        "hash or address",
        *ORDER,
        "randomness-outside-step",
    ),
    correct(Scenario(handler=reminders_sorted, event=_INVITED), "order that does not matter"),
    correct(Scenario(handler=permissions_in_order, event=_ROLES), "order that does not matter"),
    correct(
        Scenario(handler=newsletter_recorded, event=NAMES, world=_NEWS),
        "order that does not matter",
    ),
    correct(
        Scenario(handler=experiment_group_stable, event=dict.fromkeys(NAMES, "")),
        "order that does not matter",
    ),
    correct(Scenario(handler=vote, event=NAMES), "order that does not matter"),
)
"""Cases of hash order and addresses."""
