"""Rules with a rate, in virtual time. moto keeps a rule but fires nothing: this does.

It fires as EventBridge does: to the minute, one interval after the rule was last put and then at
every interval; a rule that is disabled fires nothing; and a call may come more than once.
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
    """EventBridge calls once, as it mostly does."""
    return 1


class RuleClock:
    """Calls a function whenever a rule is due.

    Parameters:
        function: which function the rules lead to.
        rules: their names; they are on the default bus.
    """

    def __init__(self, function: str, *rules: str) -> None:
        self._function = function
        self._put = {name: (rule_named(name), _now()) for name in rules}

    def run(self, until: datetime, calls: Callable[[datetime], int] = once) -> None:
        """Let time pass up to this minute, and the rules fire.

        Parameters:
            calls: how often EventBridge calls for a moment; 0 for a call that is lost.
        """
        while _now() < until:
            time.sleep(_MINUTE.total_seconds())
            for name in self._put:
                self._notice(name)
                if self._is_due(name):
                    for _ in range(calls(_now())):
                        self._call(name)
                    # So that the function has run before it is looked whether it put the rule.
                    time.sleep(0)
                    self._notice(name)

    def _notice(self, name: str) -> None:
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
    """A rule as moto has it; every put makes another one."""
    buses = events_backends[beyond_moto.ACCOUNT][beyond_moto.REGION].event_buses
    rule: Rule = buses["default"].rules[name]
    return rule


def interval_of(rule: Rule) -> timedelta:
    """How often a rule fires.

    Raises:
        ValueError: its expression is no rate in minutes or hours.
    """
    match = _RATE.fullmatch(rule.scheduled_expression or "")
    if match is None:
        raise ValueError(f"{rule.scheduled_expression!r} is no rate in minutes or hours")
    return timedelta(**{f"{match[2]}s": int(match[1])})


def scheduled_event(rule_arn: str, at: datetime) -> dict[str, Any]:
    """A scheduled event, in its documented shape."""
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
