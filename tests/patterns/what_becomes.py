"""What becomes of an answer when something goes wrong: the table of docs/callbacks.md.

`python -m tests.patterns.what_becomes` writes it anew.
"""

from __future__ import annotations

import json
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError, ReadTimeoutError

from dacapo import fail_next_calls
from patterns import callback_answers, callback_rows, callbacks
from patterns.event_callback import resolver
from patterns.webhook_callback import keys
from scenarios.worlds import beyond_moto
from scenarios.worlds.migration import TASK_ARN
from scenarios.worlds.registry import TABLE
from scenarios.worlds.transcription import FIRST_KEY, SECRET
from tests.interference import TurnTaking, dying_at, orders, watching
from tests.patterns.test_webhook_endpoint import FAILURE, ROW, SUCCESS, event, handle
from tests.patterns.waiting import DAY_SECONDS, Wait, waiting

PAGE = Path(__file__).parents[2] / "docs" / "callbacks.md"
BEGIN, END = "<!-- made by tests/patterns/what_becomes.py -->\n", "<!-- end -->\n"
CLIENTS = [callback_rows.dynamodb, callbacks.lambda_client]
MOVES = ("*intend*", "*send*", "*mark*")
CALLS = len(MOVES)
NEW_KEY = "the second key, which is as long as a key must be"
SEND = "SendDurableExecutionCallbackSuccess"
MOST_ATTEMPTS = 3


class Stage(ABC):
    """An execution that waits, and somebody who brings it an answer through one of two doors.

    `told` is what the sender was told, attempt by attempt.
    """

    def __init__(self, wait: Wait) -> None:
        self.wait = wait
        self.told: list[str] = []

    def bring(self, **changes: Any) -> bool:
        """Bring the answer; whether there is reason to bring it again."""
        try:
            told, is_refused = self.attempt(**changes)
        except SystemExit:
            told, is_refused = "†", True
        self.told.append(told)
        return is_refused

    def bring_until_taken(self) -> None:
        """Bring the answer, a minute later again, for as long as there is reason to."""
        for _ in range(MOST_ATTEMPTS):
            if not self.bring():
                return
            time.sleep(60)
            if self.wait.accepted():
                self.wait.close()

    @abstractmethod
    def attempt(self, **changes: Any) -> tuple[str, bool]:
        """What the sender is told, and whether that means that it has to come again."""

    def got(self) -> str:
        """What reached the execution."""
        taken = [kind for kind in self.wait.accepted() if kind != "heartbeat"]
        return "once" if len(taken) == 1 else "nothing" if not taken else "TWICE"


class Webhook(Stage):
    """The endpoint, over HTTP."""

    reference = ROW

    def attempt(self, **changes: Any) -> tuple[str, bool]:
        """A status."""
        code, _ = handle(event(changes.pop("message", SUCCESS), **changes))
        return str(int(code)), code >= 500


class Resolver(Stage):
    """The resolver of events, which Lambda calls again when it raises."""

    reference = TASK_ARN

    def __init__(self, wait: Wait) -> None:
        super().__init__(wait)
        at = datetime.fromtimestamp(int(time.time()) + 1, UTC)
        self.event = beyond_moto.task_event(TASK_ARN, "REPLICATION_TASK_STOPPED", at)

    def attempt(self, **changes: Any) -> tuple[str, bool]:
        """An outcome, or the error with which Lambda delivers the event again."""
        context: Any = None
        try:
            told = resolver.handler(json.loads(json.dumps(self.event)), context)
        except Exception as error:  # noqa: BLE001 - Lambda delivers the event again
            return type(error).__name__, True
        return str(told["outcome"]), False


Door = type[Webhook] | type[Resolver]
Play = Callable[[Stage], None]


def _dies(number: int, when: str, stage: Stage) -> None:
    with dying_at(CLIENTS, (number, when)) as died:
        stage.bring_until_taken()
    assert died


def _fails_at(number: int, when: str, error: Exception, stage: Stage) -> None:
    def fail(made: int, moment: str) -> None:
        if (made, moment) == (number, when):
            raise error

    with watching(CLIENTS, fail):
        stage.bring()
    stage.bring_until_taken()


def _throttled(stage: Stage) -> None:
    fail_next_calls(SEND, "TooManyRequestsException")
    stage.bring_until_taken()


def _twice(stage: Stage) -> None:
    stage.bring()
    stage.bring()


def _after_another(stage: Stage) -> None:
    callbacks.answer(stage.wait.reference, callback_answers.failure("no", "No"))
    stage.bring()


def _late(seconds: float, stage: Stage) -> None:
    stage.wait.pass_time(seconds)
    stage.bring()


def _removed(stage: Stage) -> None:
    boto3.client("dynamodb").delete_item(
        TableName=TABLE, Key={callback_rows.KEY: {"S": stage.wait.reference}}
    )
    stage.bring()


def _skewed(seconds: float, stage: Stage) -> None:
    stage.bring(at=time.time() + seconds)


def _overheard(seconds: float, stage: Stage) -> None:
    at = time.time()
    stage.bring(at=at)
    stage.wait.pass_time(seconds)
    stage.bring(at=at)


def _rotated(age: float, stage: Stage) -> None:
    stage.bring(message={"kind": "heartbeat"})
    content = {"current": NEW_KEY, "previous": FIRST_KEY, "since": time.time() - age}
    boto3.client("secretsmanager").put_secret_value(
        SecretId=SECRET, SecretString=json.dumps(content)
    )
    stage.wait.pass_time(keys.KEPT_SECONDS + 1)
    stage.bring(key=FIRST_KEY)
    stage.bring(key=NEW_KEY)


def _throttle() -> ClientError:
    error = {"Error": {"Code": "ThrottlingException"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(error, "UpdateItem")  # type: ignore[arg-type]


LOST = ReadTimeoutError(endpoint_url="lambda")
BOTH: tuple[Door, ...] = (Webhook, Resolver)
CASES: list[tuple[str, tuple[Door, ...], Play]] = [
    *(
        (f"dies {when} {move}", BOTH, partial(_dies, number, when))
        for number, move in enumerate(MOVES)
        for when in ("before", "after")
    ),
    ("the table throttles at *intend*", BOTH, partial(_fails_at, 0, "before", _throttle())),
    ("the table throttles at *mark*", BOTH, partial(_fails_at, 2, "before", _throttle())),
    ("the callback API throttles", BOTH, _throttled),
    ("the callback API takes it, its reply is lost", BOTH, partial(_fails_at, 1, "after", LOST)),
    ("the same answer comes twice", BOTH, _twice),
    ("another answer was given before", BOTH, _after_another),
    ("it comes after the deadline, and TTL is late", BOTH, partial(_late, DAY_SECONDS)),
    ("it comes when TTL has removed the row", BOTH, _removed),
    ("the request is overheard and sent again, 4 min later", (Webhook,), partial(_overheard, 240)),
    ("… 6 min later", (Webhook,), partial(_overheard, 360)),
    ("the sender's clock is 4 min fast", (Webhook,), partial(_skewed, 240)),
    ("… 6 min fast", (Webhook,), partial(_skewed, 360)),
    ("… 6 min slow", (Webhook,), partial(_skewed, -360)),
    (
        "the key was rotated: a sign of life, then old key, new key",
        (Webhook,),
        partial(_rotated, 0),
    ),
    ("… an hour ago", (Webhook,), partial(_rotated, keys.OVERLAP_SECONDS)),
]


def _told(door: Door, play: Play) -> tuple[str, str]:
    with waiting(door.reference) as (wait, _):
        stage = door(wait)
        play(stage)
        return ", ".join(stage.told), stage.got()


def _raced(door: Door, **other: Any) -> tuple[str, str]:
    """Two senders at once, in every order of their calls, each order in a world of its own."""
    told, got = set(), set()
    for order in orders(CALLS, CALLS):
        with waiting(door.reference) as (wait, _):
            one, two = door(wait), door(wait)
            TurnTaking(order).run(CLIENTS, A=one.bring, B=partial(two.bring, **other))
            told.add(" and ".join(sorted(one.told + two.told)))
            got.add(one.got())
    return "; or ".join(sorted(told)), ", ".join(sorted(got))


def rows() -> list[tuple[str, str, str, str]]:
    """What goes wrong, what either sender is told, and how often the execution got an answer."""
    lines = []
    for what, doors, play in CASES:
        lines.append((what, [_told(door, play) for door in doors]))
    same = [_raced(door) for door in BOTH]
    lines.append((f"two at once bring the same ({len(orders(CALLS, CALLS))} orders)", same))
    lines.append(("two at once bring different answers", [_raced(Webhook, message=FAILURE)]))
    return [
        (
            what,
            results[0][0],
            results[1][0] if len(results) > 1 else "–",
            " / ".join(sorted({got for _, got in results})),
        )
        for what, results in lines
    ]


def table() -> str:
    """The table, as it stands in the page."""
    head = ("what goes wrong", "the webhook's sender is told", "the resolver says", "the answer")
    lines = [head, ("---",) * len(head), *rows()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Write the table into the page."""
    logging.disable(logging.CRITICAL)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
