"""The same work, made by hand: a function on a rule, which rewrites the rule that calls it.

EventBridge calls it every 20 minutes, or every hour; each time it looks whether the rule's pace
suits the day, rewrites it if it does not, and works. It is little code and costs next to nothing.
What it is weak in, by nature:

- A pace changes only with the first call of the new day. If that one is lost, the new day begins up
  to an hour late.
- Rewriting a rule restarts its rate. The work is done at whatever minute the rule was last put, not
  on the hour; and nothing says what is missing.
- Reading the rule and putting it back are two calls, without a condition. Whoever disables the rule
  in between has it enabled again.
- A call may come twice, and is made again if it fails late: each time works again.
- The rule is no longer what the template says. A deployment that touches it puts it back.

Widely copied versions misspell the constant of the weekend's pace where they set it, so that the
first weekend ends in a NameError; ask `not is_weekend` of the function itself instead of calling
it, which is never true, so that the hourly pace never ends; take the weekday of UTC for that of the
people; name the rule with a space, which EventBridge refuses; look for "hour" or "minutes" in the
expression instead of comparing it; and put nothing but name and expression, which enables a rule
that was disabled, and drops its description and its role: PutRule forgets what it is not told
again.
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
"""Names the environment variable that holds the rule's name; it is on the default bus."""
CALENDAR_VARIABLE = "SCHEDULE_CALENDAR"
"""Names the environment variable that holds the place whose days count."""
WORKING_DAY_PACE = "rate(20 minutes)"
DAY_OFF_PACE = "rate(1 hour)"
KEPT = ("Description", "EventBusName", "EventPattern", "RoleArn", "State")
"""What PutRule would forget if it were not told again."""

logger = Logger(service="schedule-before")
events = boto3.client("events")


@event_parser(model=EventBridgeModel)
def handler(event: EventBridgeModel, _: LambdaContext) -> None:
    """See to the pace, then take the reading of this call.

    Parameters:
        event: a scheduled event of EventBridge.
    """
    rule = os.environ[RULE_VARIABLE]
    keep_pace(rule, pace_at(datetime.now(UTC)))
    work.read(rule, event.time.astimezone(UTC).isoformat())


def pace_at(moment: datetime) -> str:
    """The pace of the day that a moment belongs to, as a schedule expression."""
    calendar = CALENDARS[os.environ[CALENDAR_VARIABLE]]
    is_day_off = calendar.is_day_off(moment.astimezone(calendar.zone).date())
    return DAY_OFF_PACE if is_day_off else WORKING_DAY_PACE


def keep_pace(rule: str, pace: str) -> None:
    """Rewrite the rule, unless it has this pace."""
    found = events.describe_rule(Name=rule)
    if found["ScheduleExpression"] == pace:
        return
    kept = {field: found[field] for field in KEPT if field in found}
    events.put_rule(Name=rule, ScheduleExpression=pace, **kept)
    logger.info("pace changed", rule=rule, pace=pace)
