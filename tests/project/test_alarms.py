"""What goes wrong in production is kept, and somebody is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from patterns import overdue
from tests.project.template import (
    ALIAS,
    DURABLE,
    as_list,
    expanded,
    functions,
    hand_made,
    of_type,
    references,
)

BY_CODE = {
    "BatchImportBeforeFunction",
    "LeedControllerFunction",
    "PollingBeginFunction",
    "StartBeforeFunction",
    "WorkflowBeforeFunction",
}
"""What is invoked as an event by a function, or is meant to be by whoever asks."""


def alarms() -> dict[str, Any]:
    return of_type("AWS::CloudWatch::Alarm")


def watched(metric: str) -> set[str]:
    """The resources that there is an alarm for, for a metric of theirs."""
    found = [alarm for alarm in alarms().values() if alarm["MetricName"] == metric]
    return {name for alarm in found for name in references(alarm["Dimensions"])}


def asynchronously_invoked() -> set[str]:
    """The functions that are invoked as events; the durable ones have to be."""
    (rotation,) = of_type("AWS::SecretsManager::RotationSchedule").values()
    arns = [*(target["Arn"] for target in targets()), rotation["RotationLambdaARN"]]
    return {*DURABLE, *BY_CODE, *(arn["Ref"].removesuffix(ALIAS) for arn in arns)}


def targets() -> list[dict[str, Any]]:
    """What rules and schedules call."""
    rules = [t for rule in of_type("AWS::Events::Rule").values() for t in rule["Targets"]]
    return rules + [s["Target"] for s in of_type("AWS::Scheduler::Schedule").values()]


def dead_letter_targets() -> Iterator[tuple[str, str]]:
    """Each function that has its failed events kept, with where."""
    for name, function in functions().items():
        if "DeadLetterConfig" in function:
            yield name, function["DeadLetterConfig"]["TargetArn"]["Fn::GetAtt"][0]
    for config in of_type("AWS::Lambda::EventInvokeConfig").values():
        # Of the alias: what is invoked is never the function itself.
        assert config["Qualifier"] == "live"
        destination = config["DestinationConfig"]["OnFailure"]["Destination"]
        yield config["FunctionName"]["Ref"], destination["Fn::GetAtt"][0]


def test_whoever_is_invoked_as_an_event_has_its_failed_events_kept() -> None:
    assert asynchronously_invoked() == {
        *DURABLE,
        *BY_CODE,
        "BatchImportBeginFunction",
        "OverdueFunction",
        "PollingLookFunction",
        "ResolverFunction",
        "RotationFunction",
        "ScheduleBeforeFunction",
        "TokenResolveFunction",
        "WorkflowSweepFunction",
    }
    assert {name for name, _ in dead_letter_targets()} == asynchronously_invoked()
    assert {queue for _, queue in dead_letter_targets()} == set(of_type("AWS::SQS::Queue"))


def test_the_failed_events_of_the_durable_functions_have_a_queue_to_themselves() -> None:
    kept = {name for name, queue in dead_letter_targets() if queue == "ExecutionDeadLetters"}
    assert kept == DURABLE


def test_what_was_made_by_hand_has_a_queue_to_itself() -> None:
    kept = {name for name, queue in dead_letter_targets() if queue == "HandMadeDeadLetters"}
    assert kept == hand_made() & asynchronously_invoked()


def test_a_rule_may_put_its_dead_letters_where_it_is_told_to() -> None:
    wanted = {
        (f"{name}", target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0])
        for name, rule in of_type("AWS::Events::Rule").items()
        for target in rule["Targets"]
    }
    allowed = {
        (source["Fn::GetAtt"][0], policy["Queues"][0]["Ref"])
        for policy in of_type("AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        for source in as_list(statement["Condition"]["ArnEquals"]["aws:SourceArn"])
    }
    assert wanted == allowed


def test_what_can_not_be_delivered_at_all_is_tried_again_and_kept() -> None:
    assert len(targets()) == 8
    for target in targets():
        assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
        assert target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0] in of_type("AWS::SQS::Queue")


def test_a_dead_letter_is_kept_for_two_weeks_and_encrypted() -> None:
    queues = of_type("AWS::SQS::Queue")
    assert len(queues) == 5
    for queue in queues.values():
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
        assert queue["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize(
    "metric", ["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"]
)
def test_every_dead_letter_queue_is_watched(metric: str) -> None:
    assert watched(metric) == set(of_type("AWS::SQS::Queue"))


@pytest.mark.parametrize(
    "metric", ["DurableExecutionFailed", "DurableExecutionTimedOut", "Throttles"]
)
def test_every_durable_function_is_watched(metric: str) -> None:
    assert watched(metric) >= DURABLE


def test_what_anybody_can_call_is_watched() -> None:
    public = {"WebhookEndpointFunction", "ApprovalPageFunction", "AddLeedFunction"}
    assert watched("Errors") == public | {"ResolverFunction", "RotationFunction"}
    assert watched("Throttles") == public | DURABLE
    assert watched("5xx") == {"HttpApi"}


def test_polling_is_watched_before_the_service_ends_it() -> None:
    assert watched("DurableExecutionOperations") == {"PollingFunction"}
    alarm = alarms()["PollingNearsItsEnd"]
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Maximum", 2500)


def test_every_alarm_reaches_somebody_and_takes_silence_for_peace() -> None:
    # Three for each durable function, two for each queue, eleven others.
    assert len(alarms()) == 3 * len(DURABLE) + 2 * len(of_type("AWS::SQS::Queue")) + 11
    for name, alarm in alarms().items():
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert alarm["AlarmDescription"], name


def test_every_alarm_is_for_something_else() -> None:
    """They are short because they share most of what they say; none may have forgotten its own."""
    watching = [
        (alarm["Namespace"], alarm["MetricName"], str(alarm["Dimensions"]))
        for alarm in alarms().values()
    ]
    assert len(set(watching)) == len(watching)


def test_an_alarm_goes_off_at_the_first_sign_except_where_it_counts_up_to_something() -> None:
    for name, alarm in alarms().items():
        least = alarm["Threshold"] + ("OrEqual" not in alarm["ComparisonOperator"])
        counts_up = {"DurableExecutionOperations": 2501, "ApproximateAgeOfOldestMessage": 86401}
        assert least == counts_up.get(alarm["MetricName"], 1), name
        assert alarm["ComparisonOperator"].startswith("GreaterThan"), name
        assert alarm["EvaluationPeriods"] == 1, name


def test_each_alarm_is_in_the_namespace_of_its_metric() -> None:
    namespaces = {alarm["MetricName"]: set[str]() for alarm in alarms().values()}
    for alarm in alarms().values():
        namespaces[alarm["MetricName"]].add(alarm["Namespace"])
    assert namespaces == {
        "DurableExecutionFailed": {"AWS/Lambda"},
        "DurableExecutionTimedOut": {"AWS/Lambda"},
        "DurableExecutionOperations": {"AWS/Lambda"},
        "Throttles": {"AWS/Lambda"},
        "Errors": {"AWS/Lambda"},
        "ApproximateNumberOfMessagesVisible": {"AWS/SQS"},
        "ApproximateAgeOfOldestMessage": {"AWS/SQS"},
        "5xx": {"AWS/ApiGateway"},
        overdue.METRIC: {overdue.NAMESPACE},
    }


def test_the_alarm_for_overdue_answers_watches_the_metric_that_is_sent() -> None:
    (alarm,) = (alarm for alarm in alarms().values() if alarm["MetricName"] == overdue.METRIC)
    assert alarm["Namespace"] == overdue.NAMESPACE
    assert alarm["Dimensions"] == [{"Name": "service", "Value": overdue.SERVICE}]
    schedule = of_type("AWS::Scheduler::Schedule")["OverdueFunctionEveryQuarterOfAnHour"]
    minutes = re.findall(r"\d+", schedule["ScheduleExpression"])
    assert alarm["Period"] == 60 * int(minutes[0])


def test_the_topic_is_not_encrypted_with_a_key_that_cloudwatch_may_not_use() -> None:
    (topic,) = of_type("AWS::SNS::Topic").values()
    assert "KmsMasterKeyId" not in topic


def test_a_mail_address_for_alarms_is_optional() -> None:
    template = expanded()
    assert template["Parameters"]["AlarmMail"]["Default"] == ""
    assert template["Resources"]["AlarmSubscription"]["Condition"] == "HasAlarmMail"
    assert template["Resources"]["AlarmSubscription"]["Properties"]["Protocol"] == "email"
