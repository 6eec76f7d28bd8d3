"""The template: what the patterns need to run, and no more than that."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from dacapo import sdk_internals
from patterns import callback_rows, starter
from patterns.event_callback import handler as event_callback
from patterns.event_callback import resolver
from patterns.polling import handler as polling
from scenarios.worlds.beyond_moto import EVENT_IDS
from tools import lint_template, sam

DURABLE = {
    "PollingFunction": polling.handler,
    "EventCallbackFunction": event_callback.handler,
}
SAM_ATTACHES = {
    # With DurableConfig, SAM attaches the first; with Tracing: Active, the second.
    "AWSLambdaBasicDurableExecutionRolePolicy",
    "AWSXrayWriteOnlyAccess",
    "AWSLambdaBasicExecutionRole",
}


@cache
def resources() -> dict[str, Any]:
    return dict(sam.expand()["Resources"])


def of_type(kind: str) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in resources().items()
        if resource["Type"] == kind
    }


def functions() -> dict[str, Any]:
    return of_type("AWS::Lambda::Function")


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every policy that a role has of its own, with the role's name."""
    for name, role in of_type("AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            yield from ((name, s) for s in policy["PolicyDocument"]["Statement"])
    for name, policy in of_type("AWS::IAM::Policy").items():
        yield from ((name, s) for s in policy["PolicyDocument"]["Statement"])


def test_both_forms_of_the_template_are_clean() -> None:
    assert lint_template.findings() == []


def test_the_lint_finds_what_is_wrong_in_the_expanded_form_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = sam.expand()
    broken["Resources"]["PollingFunction"]["Properties"]["DurableConfig"]["ExecutionTimeout"] = 0
    monkeypatch.setattr(sam, "expand", lambda: broken)
    (found,) = lint_template.findings()
    assert "expanded" in found
    assert "ExecutionTimeout" in found


def test_every_handler_can_be_imported() -> None:
    assert len(functions()) == 4
    for function in functions().values():
        module, _, name = function["Handler"].rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))


def test_the_durable_handlers_are_durable_and_the_others_are_not() -> None:
    for name, function in functions().items():
        module, _, attribute = function["Handler"].rpartition(".")
        handler = getattr(importlib.import_module(module), attribute)
        assert (
            sdk_internals.is_durable(handler) == ("DurableConfig" in function) == (name in DURABLE)
        )


def test_an_execution_may_last_longer_than_it_waits() -> None:
    polls = polling.MOST_POLLS * polling.LONGEST_PAUSE.to_seconds()
    assert execution_timeout("PollingFunction") > polls
    waits = event_callback.MOST_WAITS * event_callback.EVENT_TIMEOUT.to_seconds()
    assert execution_timeout("EventCallbackFunction") > waits


def execution_timeout(function: str) -> int:
    return int(functions()[function]["DurableConfig"]["ExecutionTimeout"])


def test_every_callback_timeout_is_shorter_than_its_functions_execution_timeout() -> None:
    timeout = event_callback._WAIT.timeout
    assert 0 < timeout.to_seconds() < execution_timeout("EventCallbackFunction")


def test_every_function_is_published_as_a_version_under_an_alias_when_anything_changes() -> None:
    template = sam.read()
    assert template["Globals"]["Function"]["AutoPublishAlias"] == "live"
    for name in functions():
        assert template["Resources"][name]["Properties"]["AutoPublishAliasAllProperties"] is True
        assert f"{name}Aliaslive" in resources()


def test_no_function_has_a_name_of_its_own() -> None:
    """A change of DurableConfig replaces the function, and two can't have one name."""
    assert all("FunctionName" not in function for function in functions().values())


def test_every_function_runs_on_arm64_is_traced_and_logs_json_to_a_group_with_an_end() -> None:
    groups = of_type("AWS::Logs::LogGroup")
    for function in functions().values():
        assert function["Architectures"] == ["arm64"]
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        assert groups[function["LoggingConfig"]["LogGroup"]["Ref"]]["RetentionInDays"]


def test_the_registry_expires_rows_can_be_restored_and_is_encrypted() -> None:
    (table,) = of_type("AWS::DynamoDB::Table").values()
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["SSESpecification"]["SSEEnabled"] is True
    assert table["KeySchema"] == [{"AttributeName": "callback_reference", "KeyType": "HASH"}]


def test_the_rule_brings_the_events_that_the_resolver_knows_and_keeps_what_fails() -> None:
    (rule,) = of_type("AWS::Events::Rule").values()
    assert rule["EventPattern"]["source"] == ["aws.dms"]
    assert rule["EventPattern"]["detail-type"] == ["DMS Replication Task State Change"]
    assert set(rule["EventPattern"]["detail"]["eventType"]) == resolver.ENDINGS
    assert set(EVENT_IDS) >= resolver.ENDINGS
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Ref": "ResolverFunctionAliaslive"}
    assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
    assert target["DeadLetterConfig"]
    (asynchronous,) = of_type("AWS::Lambda::EventInvokeConfig").values()
    assert asynchronous["DestinationConfig"]["OnFailure"]["Destination"]


def test_the_variables_that_the_code_reads_are_the_ones_that_are_set() -> None:
    variables = {
        name: set(function.get("Environment", {}).get("Variables", {}))
        for name, function in functions().items()
    }
    assert variables == {
        "PollingFunction": set(),
        "EventCallbackFunction": {callback_rows.TABLE_VARIABLE},
        "ResolverFunction": {callback_rows.TABLE_VARIABLE},
        "StarterFunction": {starter.FUNCTION_VARIABLE},
    }


def test_every_function_has_a_role_of_its_own() -> None:
    roles = [function["Role"]["Fn::GetAtt"][0] for function in functions().values()]
    assert len(set(roles)) == len(roles)


def test_no_policy_has_a_wildcard_action() -> None:
    for name, statement in statements():
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            assert "*" not in action, name


def test_no_policy_has_a_wildcard_resource_where_a_narrower_one_exists() -> None:
    wide = {
        (name, statement["Action"])
        for name, statement in statements()
        if statement["Resource"] == "*"
    }
    # DescribeReplicationTasks knows no resources (service authorization reference).
    assert {action for _, action in wide} == {"dms:DescribeReplicationTasks"}


def test_the_only_managed_policies_are_those_that_sam_attaches() -> None:
    attached = {
        str(arn).rsplit("/", 1)[-1].rstrip("'}]")
        for role in of_type("AWS::IAM::Role").values()
        for arn in role.get("ManagedPolicyArns", [])
    }
    assert attached <= SAM_ATTACHES
    assert "AWSLambdaBasicDurableExecutionRolePolicy" in attached


def test_each_role_allows_what_its_code_calls_and_nothing_else() -> None:
    actions: dict[str, set[str]] = {}
    for name, statement in statements():
        allowed = statement["Action"]
        actions.setdefault(name, set()).update([allowed] if isinstance(allowed, str) else allowed)
    dms = {"dms:DescribeReplicationTasks", "dms:StartReplicationTask"}
    assert actions == {
        "PollingFunctionRole": dms,
        "EventCallbackFunctionRole": dms
        | {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"},
        "EventCallbackAnswers": {"lambda:SendDurableExecutionCallbackSuccess"},
        "ResolverFunctionRole": {
            "dynamodb:GetItem",
            "dynamodb:UpdateItem",
            "lambda:SendDurableExecutionCallbackSuccess",
            "sqs:SendMessage",
        },
        "StarterFunctionRole": {
            "lambda:InvokeFunction",
            "lambda:ListDurableExecutionsByFunction",
            "lambda:GetDurableExecution",
        },
    }


def test_the_outputs_name_functions_with_their_aliases() -> None:
    outputs = sam.expand()["Outputs"]
    for name in ("PollingFunction", "EventCallbackFunction", "StarterFunction"):
        assert outputs[name]["Value"] == {"Ref": f"{name}Aliaslive"}
