"""Every failure in production is kept in a dead-letter queue and raises an alarm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from patterns.callbacks import overdue
from tests.project.template import (
    DURABLE,
    NESTED,
    PATTERNS,
    TOP,
    as_list,
    baselines,
    expanded,
    function_of,
    functions,
    near,
    of_type,
    references,
    written,
)

PUBLIC = {
    "webhook_callback/WebhookEndpointFunction",
    "approval/ApprovalPageFunction",
    "fan_out/AddPostingFunction",
}
APIS = {"webhook_callback/HttpApi", "approval/HttpApi", "fan_out/HttpApi"}


def alarms() -> dict[str, Any]:
    return of_type("AWS::CloudWatch::Alarm")


def watched(metric: str) -> set[str]:
    """Return the resources with an alarm on a metric."""
    return {
        near(name, referenced)
        for name, alarm in alarms().items()
        if alarm["MetricName"] == metric
        for referenced in references(alarm["Dimensions"])
    }


def targets() -> list[tuple[str, dict[str, Any]]]:
    """Return the targets of rules and schedules, each with the rule's or schedule's name."""
    rules = of_type("AWS::Events::Rule").items()
    schedules = of_type("AWS::Scheduler::Schedule").items()
    return [
        *((name, target) for name, rule in rules for target in rule["Targets"]),
        *((name, schedule["Target"]) for name, schedule in schedules),
    ]


def asynchronously_invoked() -> set[str]:
    """Return the functions that are invoked as events, as durable functions have to be.

    Any baseline function may be: most invoke themselves or each other.
    """
    ((name, rotation),) = of_type("AWS::SecretsManager::RotationSchedule").items()
    rotating = function_of(name, rotation["RotationLambdaARN"])
    by_event = {function_of(name, target["Arn"]) for name, target in targets()}
    return {*DURABLE, *baselines(), *by_event, rotating}


def dead_letter_targets() -> Iterator[tuple[str, str]]:
    """Yield each function that keeps its failed events, with its queue."""
    for name, function in functions().items():
        if "DeadLetterConfig" in function:
            yield name, near(name, function["DeadLetterConfig"]["TargetArn"]["Fn::GetAtt"][0])
    for name, config in of_type("AWS::Lambda::EventInvokeConfig").items():
        # On the alias: no function is invoked unqualified.
        assert config["Qualifier"] == "live"
        destination = config["DestinationConfig"]["OnFailure"]["Destination"]
        yield (
            near(name, config["FunctionName"]["Ref"]),
            near(name, destination["Fn::GetAtt"][0]),
        )


@pytest.mark.prove
def test_every_function_that_is_invoked_as_an_event_has_a_dead_letter_queue() -> None:
    assert asynchronously_invoked() - baselines() == {
        *DURABLE,
        "batch_import/BatchImportStartFunction",
        "callbacks/OverdueFunction",
        "event_callback/ResolverFunction",
        "webhook_callback/RotationFunction",
    }
    assert {name for name, _ in dead_letter_targets()} == asynchronously_invoked()
    assert {queue for _, queue in dead_letter_targets()} == set(of_type("AWS::SQS::Queue"))


def test_durable_functions_have_a_dead_letter_queue_to_themselves() -> None:
    queues = {name: queue for name, queue in dead_letter_targets() if name in DURABLE}
    assert queues == {name: near(name, "ExecutionDeadLetterQueue") for name in DURABLE}
    for name, queue in dead_letter_targets():
        assert name in DURABLE or queue not in queues.values()


def test_every_rule_may_send_to_its_dead_letter_queue() -> None:
    configured = {
        (name, near(name, target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]))
        for name, target in targets()
        if name in of_type("AWS::Events::Rule")
    }
    allowed = {
        (near(name, source["Fn::GetAtt"][0]), near(name, policy["Queues"][0]["Ref"]))
        for name, policy in of_type("AWS::SQS::QueuePolicy").items()
        for statement in policy["PolicyDocument"]["Statement"]
        for source in as_list(statement["Condition"]["ArnEquals"]["aws:SourceArn"])
    }
    assert configured == allowed


def test_a_failed_delivery_is_retried_and_then_kept() -> None:
    assert len(targets()) == 8
    for name, target in targets():
        assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
        queue = near(name, target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0])
        assert queue in of_type("AWS::SQS::Queue")


def test_a_dead_letter_is_kept_for_two_weeks_and_encrypted() -> None:
    queues = of_type("AWS::SQS::Queue")
    assert len(queues) == len(PATTERNS) + 5
    for queue in queues.values():
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
        assert queue["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize(
    "metric", ["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"]
)
def test_every_dead_letter_queue_has_alarms(metric: str) -> None:
    assert watched(metric) == set(of_type("AWS::SQS::Queue"))


@pytest.mark.parametrize("metric", ["DurableExecutionFailed", "DurableExecutionTimedOut"])
def test_every_durable_function_has_alarms(metric: str) -> None:
    assert watched(metric) == DURABLE


def test_every_public_function_and_every_api_has_alarms() -> None:
    others = {"event_callback/ResolverFunction", "webhook_callback/RotationFunction"}
    assert watched("Errors") == PUBLIC | others
    assert watched("Throttles") == PUBLIC | DURABLE
    assert set(of_type("AWS::ApiGatewayV2::Api")) == APIS
    assert watched("5xx") == APIS
    # Nothing else shows the 429s of an API's own throttle: no function is invoked.
    assert watched("4xx") == APIS


def test_polling_raises_an_alarm_before_it_reaches_the_operation_quota() -> None:
    assert watched("DurableExecutionOperations") == {"polling/PollingFunction"}
    alarm = alarms()["polling/PollingNearOperationQuota"]
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Maximum", 2501)


def test_every_alarm_notifies_the_topic_if_there_is_one_and_treats_missing_data_as_fine() -> None:
    # Three for each durable function, two for each queue, sixteen others.
    assert len(alarms()) == 3 * len(DURABLE) + 2 * len(of_type("AWS::SQS::Queue")) + 16
    action = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}
    for name, alarm in alarms().items():
        assert alarm["AlarmActions"] == action, name
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert alarm["AlarmDescription"], name


@pytest.mark.parametrize("folder", NESTED)
def test_alarms_have_no_action_without_a_topic(folder: str) -> None:
    condition = expanded(folder)["Conditions"]["HasAlarmTopic"]
    assert condition == {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopic"}, ""]}]}


def test_no_two_alarms_watch_the_same_metric() -> None:
    """Alarms inherit most properties from an anchor; each one has to override its own."""
    metrics = [
        (name.split("/")[0], alarm["Namespace"], alarm["MetricName"], str(alarm["Dimensions"]))
        for name, alarm in alarms().items()
    ]
    assert len(set(metrics)) == len(metrics)


def test_no_alarm_has_the_description_of_another_metric() -> None:
    described: dict[str, set[str]] = {}
    for alarm in alarms().values():
        # What differs between APIs is who notices.
        description = alarm["AlarmDescription"].split(". ")[0]
        described.setdefault(description, set()).add(alarm["MetricName"])
    assert all(len(metrics) == 1 for metrics in described.values()), described


def test_an_alarm_goes_off_at_the_first_occurrence_unless_it_watches_a_level() -> None:
    levels = {"DurableExecutionOperations": {2501}, "ApproximateAgeOfOldestMessage": {86400}}
    for name, alarm in alarms().items():
        assert alarm["Threshold"] in levels.get(alarm["MetricName"], {1, 25, 100}), name
        assert alarm["Threshold"] == 1 or alarm["MetricName"] in {*levels, "4xx"}, name
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold", name
        assert alarm["EvaluationPeriods"] == 1, name


def test_an_overload_of_an_api_raises_its_alarm_within_seconds() -> None:
    """Requests above the throttle are rejected: at twice the rate, they soon are many."""
    rates = {
        near(name, "HttpApi"): stage["DefaultRouteSettings"]["ThrottlingRateLimit"]
        for name, stage in of_type("AWS::ApiGatewayV2::Stage").items()
    }
    assert rates.keys() == APIS
    for api, rate in rates.items():
        threshold = alarms()[near(api, "HttpApiRejections")]["Threshold"]
        assert threshold / rate <= 5


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
        "4xx": {"AWS/ApiGateway"},
        "5xx": {"AWS/ApiGateway"},
        overdue.METRIC: {overdue.NAMESPACE},
    }


def test_the_alarm_for_overdue_answers_watches_the_metric_that_the_code_sends() -> None:
    (alarm,) = (alarm for alarm in alarms().values() if alarm["MetricName"] == overdue.METRIC)
    assert alarm["Namespace"] == overdue.NAMESPACE
    # The stack's own, so that two patterns or two stacks don't share an alarm.
    assert alarm["Dimensions"] == [
        {"Name": "service", "Value": overdue.SERVICE},
        {"Name": "stack", "Value": {"Ref": "AWS::StackName"}},
    ]
    environment = functions()["callbacks/OverdueFunction"]["Environment"]["Variables"]
    assert environment[overdue.STACK_VARIABLE] == {"Ref": "AWS::StackName"}
    (schedule,) = of_type("AWS::Scheduler::Schedule").values()
    minutes = re.findall(r"\d+", schedule["ScheduleExpression"])
    assert alarm["Period"] == 60 * int(minutes[0])


def test_the_topic_is_not_encrypted_with_a_key_that_cloudwatch_may_not_use() -> None:
    assert "Properties" not in written(TOP)["Resources"]["AlarmTopic"]


def test_the_mail_address_for_alarms_is_optional() -> None:
    template = expanded(TOP)
    assert template["Parameters"]["AlarmMail"]["Default"] == ""
    assert template["Resources"]["AlarmSubscription"]["Condition"] == "HasAlarmMail"
    assert template["Resources"]["AlarmSubscription"]["Properties"]["Protocol"] == "email"
