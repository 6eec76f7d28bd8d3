"""Every failure in production is kept in a dead-letter queue and raises an alarm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from patterns.callbacks import overdue
from tests.project.template import (
    ALIAS,
    DURABLE,
    as_list,
    baselines,
    expanded,
    functions,
    of_type,
    references,
)

BY_CODE = {
    "BatchImportBaselineFunction",
    "PostingBaselineControllerFunction",
    "PollingBaselineStartFunction",
    "StartBaselineFunction",
    "WorkflowBaselineFunction",
}
"""Baseline functions that other functions or callers invoke as an event."""


def alarms() -> dict[str, Any]:
    return of_type("AWS::CloudWatch::Alarm")


def watched(metric: str) -> set[str]:
    """Return the resources with an alarm on a metric."""
    matching = [alarm for alarm in alarms().values() if alarm["MetricName"] == metric]
    return {name for alarm in matching for name in references(alarm["Dimensions"])}


def asynchronously_invoked() -> set[str]:
    """Return the functions that are invoked as events, as durable functions have to be."""
    (rotation,) = of_type("AWS::SecretsManager::RotationSchedule").values()
    arns = [*(target["Arn"] for target in targets()), rotation["RotationLambdaARN"]]
    return {*DURABLE, *BY_CODE, *(arn["Ref"].removesuffix(ALIAS) for arn in arns)}


def targets() -> list[dict[str, Any]]:
    """Return the targets of rules and schedules."""
    rules = [t for rule in of_type("AWS::Events::Rule").values() for t in rule["Targets"]]
    return rules + [s["Target"] for s in of_type("AWS::Scheduler::Schedule").values()]


def dead_letter_targets() -> Iterator[tuple[str, str]]:
    """Yield each function that keeps its failed events, with its queue."""
    for name, function in functions().items():
        if "DeadLetterConfig" in function:
            yield name, function["DeadLetterConfig"]["TargetArn"]["Fn::GetAtt"][0]
    for config in of_type("AWS::Lambda::EventInvokeConfig").values():
        # On the alias: no function is invoked unqualified.
        assert config["Qualifier"] == "live"
        destination = config["DestinationConfig"]["OnFailure"]["Destination"]
        yield config["FunctionName"]["Ref"], destination["Fn::GetAtt"][0]


def test_every_function_that_is_invoked_as_an_event_has_a_dead_letter_queue() -> None:
    assert asynchronously_invoked() == {
        *DURABLE,
        *BY_CODE,
        "BatchImportStartFunction",
        "OverdueFunction",
        "PollingBaselineCheckFunction",
        "ResolverFunction",
        "RotationFunction",
        "ScheduleBaselineFunction",
        "EventCallbackBaselineResolverFunction",
        "WorkflowBaselineSweepFunction",
    }
    assert {name for name, _ in dead_letter_targets()} == asynchronously_invoked()
    assert {queue for _, queue in dead_letter_targets()} == set(of_type("AWS::SQS::Queue"))


def test_durable_functions_have_a_dead_letter_queue_to_themselves() -> None:
    users = {name for name, queue in dead_letter_targets() if queue == "ExecutionDeadLetterQueue"}
    assert users == DURABLE


def test_baselines_have_a_dead_letter_queue_to_themselves() -> None:
    users = {name for name, queue in dead_letter_targets() if queue == "BaselineDeadLetterQueue"}
    assert users == baselines() & asynchronously_invoked()


def test_every_rule_may_send_to_its_dead_letter_queue() -> None:
    configured = {
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
    assert configured == allowed


def test_a_failed_delivery_is_retried_and_then_kept() -> None:
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
def test_every_dead_letter_queue_has_alarms(metric: str) -> None:
    assert watched(metric) == set(of_type("AWS::SQS::Queue"))


@pytest.mark.parametrize(
    "metric", ["DurableExecutionFailed", "DurableExecutionTimedOut", "Throttles"]
)
def test_every_durable_function_has_alarms(metric: str) -> None:
    assert watched(metric) >= DURABLE


def test_every_public_function_has_alarms() -> None:
    public = {"WebhookEndpointFunction", "ApprovalPageFunction", "AddPostingFunction"}
    assert watched("Errors") == public | {"ResolverFunction", "RotationFunction"}
    assert watched("Throttles") == public | DURABLE
    assert watched("5xx") == {"HttpApi"}


def test_polling_raises_an_alarm_before_it_reaches_the_operation_quota() -> None:
    assert watched("DurableExecutionOperations") == {"PollingFunction"}
    alarm = alarms()["PollingNearOperationQuota"]
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Maximum", 2500)


def test_every_alarm_notifies_the_topic_and_treats_missing_data_as_fine() -> None:
    # Three for each durable function, two for each queue, eleven others.
    assert len(alarms()) == 3 * len(DURABLE) + 2 * len(of_type("AWS::SQS::Queue")) + 11
    for name, alarm in alarms().items():
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert alarm["AlarmDescription"], name


def test_no_two_alarms_watch_the_same_metric() -> None:
    """Alarms inherit most properties from an anchor; each one has to override its own."""
    metrics = [
        (alarm["Namespace"], alarm["MetricName"], str(alarm["Dimensions"]))
        for alarm in alarms().values()
    ]
    assert len(set(metrics)) == len(metrics)


def test_an_alarm_goes_off_at_the_first_occurrence_unless_it_watches_a_level() -> None:
    for name, alarm in alarms().items():
        least = alarm["Threshold"] + ("OrEqual" not in alarm["ComparisonOperator"])
        levels = {"DurableExecutionOperations": 2501, "ApproximateAgeOfOldestMessage": 86401}
        assert least == levels.get(alarm["MetricName"], 1), name
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


def test_the_alarm_for_overdue_answers_watches_the_metric_that_the_code_sends() -> None:
    (alarm,) = (alarm for alarm in alarms().values() if alarm["MetricName"] == overdue.METRIC)
    assert alarm["Namespace"] == overdue.NAMESPACE
    assert alarm["Dimensions"] == [{"Name": "service", "Value": overdue.SERVICE}]
    schedule = of_type("AWS::Scheduler::Schedule")["OverdueFunctionEvery15Minutes"]
    minutes = re.findall(r"\d+", schedule["ScheduleExpression"])
    assert alarm["Period"] == 60 * int(minutes[0])


def test_the_topic_is_not_encrypted_with_a_key_that_cloudwatch_may_not_use() -> None:
    (topic,) = of_type("AWS::SNS::Topic").values()
    assert "KmsMasterKeyId" not in topic


def test_the_mail_address_for_alarms_is_optional() -> None:
    template = expanded()
    assert template["Parameters"]["AlarmMail"]["Default"] == ""
    assert template["Resources"]["AlarmSubscription"]["Condition"] == "HasAlarmMail"
    assert template["Resources"]["AlarmSubscription"]["Properties"]["Protocol"] == "email"
