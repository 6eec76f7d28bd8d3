"""EventBridge rules with a rate, in virtual time: moto stores rules, but never fires them.

They fire as in EventBridge: to the minute, one interval after the rule was last put, and then at
every interval. A disabled rule does not fire, and a rule may invoke its target more than once.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.events.models import Rule, events_backends

from scenarios.worlds import beyond_moto

_RATE = re.compile(r"rate\((\d+) (minute|hour)s?\)")
_MINUTE = timedelta(minutes=1)


def once(_: datetime) -> int:
    """Return 1: EventBridge invokes the target once, as it usually does."""
    return 1


class RuleClock:
    """A clock that invokes a function whenever one of its rules is due.

    Parameters:
        function: name of the rules' target.
        rules: names of the rules, on the default event bus.
    """

    def __init__(self, function: str, *rules: str) -> None:
        self._function = function
        self._put = {name: (rule_named(name), _now()) for name in rules}

    def run(self, until: datetime, calls: Callable[[datetime], int] = once) -> None:
        """Advance time minute by minute, and fire the rules that are due.

        Parameters:
            until: when to stop; the rules of that minute still fire.
            calls: returns the number of invocations for a moment; 0 for a lost one.
        """
        while _now() < until:
            time.sleep(_MINUTE.total_seconds())
            for name in self._put:
                self._refresh(name)
                if self._is_due(name):
                    for _ in range(calls(_now())):
                        self._call(name)
                    # Let the function run first: it may put the rule.
                    time.sleep(0)
                    self._refresh(name)

    def _refresh(self, name: str) -> None:
        rule = rule_named(name)
        if rule is not self._put[name][0]:
            self._put[name] = rule, _now()

    def _is_due(self, name: str) -> bool:
        rule, put = self._put[name]
        elapsed = _now() - put
        return rule.state == "ENABLED" and bool(elapsed) and not elapsed % interval_of(rule)

    def _call(self, name: str) -> None:
        beyond_moto.deliver(self._function, scheduled_event(rule_named(name).arn, _now()))


def rule_named(name: str) -> Rule:
    """Return moto's rule of this name; every PutRule creates a new object."""
    buses = events_backends[beyond_moto.ACCOUNT][beyond_moto.REGION].event_buses
    rule: Rule = buses["default"].rules[name]
    return rule


def interval_of(rule: Rule) -> timedelta:
    """Return the interval at which a rule fires.

    Raises:
        ValueError: its schedule expression is not a rate in minutes or hours.
    """
    match = _RATE.fullmatch(rule.scheduled_expression or "")
    if match is None:
        raise ValueError(f"{rule.scheduled_expression!r} is not a rate in minutes or hours")
    return timedelta(**{f"{match[2]}s": int(match[1])})


def scheduled_event(rule_arn: str, at: datetime) -> dict[str, Any]:
    """Return a scheduled event, in its documented shape."""
    return {
        "version": "0",
        "id": f"53dc4d37-cffa-4f76-80c9-{int(at.timestamp()):012d}",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": beyond_moto.ACCOUNT,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": beyond_moto.REGION,
        "resources": [rule_arn],
        "detail": {},
    }


def _now() -> datetime:
    return datetime.now(UTC)
