"""Baseline for `schedule`: a function on an EventBridge rule that rewrites its own rule.

EventBridge invokes the function every 20 minutes, or every hour. Each time, the function checks
whether the rule's rate suits the day, rewrites the rule if it doesn't, and does the work. This
takes little code and costs next to nothing. Inherent weaknesses:

- The rate changes only with the first invocation of a new day. If that one is lost, the new day
  starts up to an hour late.
- Rewriting a rule restarts its rate. Work happens at the minute of the last rewrite instead of on
  the hour, and nothing reports missing work.
- Reading and rewriting the rule are two calls without a condition. Disabling the rule in between
  has no effect: the rewrite enables it again.
- An invocation may be duplicated, or retried after a late failure: the work is done each time.
- The rule drifts from the template. A deployment that touches it resets it.

Widely copied versions misspell the constant with the weekend rate where they set it, so the first
weekend ends in a NameError; test `not is_weekend` on the function itself instead of calling it,
which is never true, so the hourly rate never ends; use the weekday in UTC instead of the local one;
give the rule a name with a space, which EventBridge rejects; search the expression for "hour" or
"minutes" instead of comparing it; and pass nothing but name and expression, which enables a
disabled rule and drops its description and role, because PutRule resets every setting that is
omitted.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.parser.models import EventBridgeModel
from aws_lambda_powertools.utilities.typing import LambdaContext

from patterns.schedule import work
from patterns.schedule.calendars import CALENDARS

RULE_VARIABLE = "SCHEDULE_RULE"
"""Environment variable with the rule's name; the rule is on the default event bus."""
CALENDAR_VARIABLE = "SCHEDULE_CALENDAR"
"""Environment variable with the name of the calendar that applies."""
WORKING_DAY_PACE = "rate(20 minutes)"
DAY_OFF_PACE = "rate(1 hour)"
PRESERVED = ("Description", "EventBusName", "EventPattern", "RoleArn", "State")
"""Settings that PutRule resets if they are omitted."""

logger = Logger(service="schedule-baseline")
events = boto3.client("events")


@event_parser(model=EventBridgeModel)
def handler(event: EventBridgeModel, _: LambdaContext) -> None:
    """Adjust the pace if needed, then take the reading of this invocation.

    Parameters:
        event: a scheduled event from EventBridge.
    """
    rule = os.environ[RULE_VARIABLE]
    ensure_pace(rule, pace_at(datetime.now(UTC)))
    work.take_reading(rule, event.time.astimezone(UTC).isoformat())


def pace_at(moment: datetime) -> str:
    """Return the pace for the local day of a moment, as a schedule expression."""
    calendar = CALENDARS[os.environ[CALENDAR_VARIABLE]]
    is_day_off = calendar.is_day_off(moment.astimezone(calendar.zone).date())
    return DAY_OFF_PACE if is_day_off else WORKING_DAY_PACE


def ensure_pace(rule: str, pace: str) -> None:
    """Rewrite the rule unless it already has this pace."""
    current = events.describe_rule(Name=rule)
    if current["ScheduleExpression"] == pace:
        return
    preserved = {field: current[field] for field in PRESERVED if field in current}
    events.put_rule(Name=rule, ScheduleExpression=pace, **preserved)
    logger.info("pace changed", rule=rule, pace=pace)
