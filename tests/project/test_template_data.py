"""The data of each pattern: tables, keys, variables, and what outlives the stack."""

from __future__ import annotations

import json
from typing import Any

import pytest

from baselines import event_callback as event_callback_baseline
from baselines import fan_out as fan_out_baseline
from baselines import polling as polling_baseline
from baselines import schedule as schedule_baseline
from baselines import workflow as workflow_baseline
from baselines import workflow_state
from patterns import mails
from patterns.approval import handler as approval
from patterns.approval import orders, outbox
from patterns.approval import start as approval_start
from patterns.batch_import import start as import_start
from patterns.batch_import import totals
from patterns.callbacks import overdue, reference, table
from patterns.event_callback import resolver
from patterns.event_callback import start as event_start
from patterns.fan_out import handler as fan_out
from patterns.fan_out import postings, start, subscribers
from patterns.polling import start as polling_start
from patterns.schedule import start as schedule_start
from patterns.schedule import work
from patterns.versioned import shop
from patterns.versioned import start as versioned_start
from patterns.webhook_callback import handler as webhook_callback
from patterns.webhook_callback import keys, partner
from patterns.webhook_callback import start as webhook_start
from patterns.workflow import ledger_writes
from patterns.workflow import start as workflow_start
from scenarios.worlds.beyond_moto import EVENT_IDS
from tests.project.template import (
    ALIAS,
    DURABLE,
    NESTED,
    PATTERNS,
    TOP,
    UNPINNED,
    WAITING,
    baselines,
    expanded,
    functions,
    latest,
    of_type,
    resources,
    written,
)

HOLD_DATA = {
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
}


def with_data(folder: str) -> dict[str, Any]:
    return {
        name: resource
        for name, resource in expanded(folder)["Resources"].items()
        if resource["Type"] in HOLD_DATA
    }


@pytest.mark.parametrize("folder", PATTERNS)
def test_the_data_of_a_pattern_outlives_its_stack_unless_asked_otherwise(folder: str) -> None:
    assert bool(with_data(folder)) == (folder != "polling")
    for name, resource in with_data(folder).items():
        policy = {"Fn::If": ["KeepsData", "RetainExceptOnCreate", "Delete"]}
        assert resource["DeletionPolicy"] == policy, name
        assert resource["UpdateReplacePolicy"] == {"Fn::If": ["KeepsData", "Retain", "Delete"]}
        assert expanded(folder)["Conditions"]["KeepsData"] == {
            "Fn::Equals": [{"Ref": "KeepData"}, "yes"]
        }
        assert expanded(folder)["Parameters"]["KeepData"]["Default"] == "yes"
    assert expanded(TOP)["Parameters"]["KeepData"]["Default"] == "yes"


def test_the_data_of_the_baselines_is_deleted_with_their_stack() -> None:
    assert len(with_data("baselines")) == 10
    assert all("DeletionPolicy" not in resource for resource in with_data("baselines").values())


def test_the_tables_of_the_patterns_are_recoverable_and_encrypted() -> None:
    tables = {n: t for n, t in of_type("AWS::DynamoDB::Table").items() if "baselines/" not in n}
    assert len(tables) == 11
    for properties in tables.values():
        assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
        assert properties["SSESpecification"]["SSEEnabled"] is True


def test_only_rows_of_callbacks_and_postings_expire() -> None:
    expiring = {
        name: properties["TimeToLiveSpecification"]
        for name, properties in of_type("AWS::DynamoDB::Table").items()
        if "TimeToLiveSpecification" in properties
    }
    assert expiring.keys() == {
        *(f"{folder}/CallbacksTable" for folder in WAITING),
        "fan_out/PostingsTable",
    }
    for setting in expiring.values():
        assert setting == {"AttributeName": "expires_at", "Enabled": True}


def test_the_table_keys_match_the_code() -> None:
    keys_of = {
        name: [key["AttributeName"] for key in table["KeySchema"]]
        for name, table in of_type("AWS::DynamoDB::Table").items()
    }
    assert keys_of == {
        **{f"{folder}/CallbacksTable": [table.KEY] for folder in WAITING},
        "approval/OrdersTable": [orders.KEY],
        "batch_import/TotalsTable": [totals.KEY],
        "schedule/ReadingsTable": [work.KEY, work.SORT_KEY],
        "fan_out/PostingsTable": [postings.KEY],
        "fan_out/SubscribersTable": [subscribers.KEY, subscribers.SORT_KEY],
        "fan_out/TradesTable": [postings.TRADES_KEY],
        "workflow/ShopTable": [ledger_writes.KEY],
        "versioned/PreordersTable": [shop.KEY, shop.SORT_KEY],
        "baselines/MigrationsTable": [polling_baseline.KEY],
        "baselines/TaskTokensTable": [event_callback_baseline.KEY],
        "baselines/WorkflowsTable": [workflow_state.KEY],
        "baselines/TotalsTable": [totals.KEY],
        "baselines/ReadingsTable": [work.KEY, work.SORT_KEY],
        "baselines/PostingsTable": [postings.KEY],
        "baselines/SubscribersTable": [subscribers.KEY, subscribers.SORT_KEY],
        "baselines/TradesTable": [postings.TRADES_KEY],
        "baselines/ShopTable": [ledger_writes.KEY],
    }


def test_import_buckets_send_events_and_block_public_access() -> None:
    buckets = of_type("AWS::S3::Bucket")
    assert buckets.keys() == {"batch_import/ImportsBucket", "baselines/ImportsBucket"}
    for bucket in buckets.values():
        events = bucket["NotificationConfiguration"]["EventBridgeConfiguration"]
        assert events == {"EventBridgeEnabled": True}
        assert all(bucket["PublicAccessBlockConfiguration"].values())


def test_the_rule_matches_the_events_that_the_resolver_handles() -> None:
    rules = of_type("AWS::Events::Rule")
    rule = rules["event_callback/ResolverFunctionTaskStateChange"]
    assert rule["EventPattern"]["source"] == ["aws.dms"]
    assert rule["EventPattern"]["detail-type"] == ["DMS Replication Task State Change"]
    assert set(rule["EventPattern"]["detail"]["eventType"]) == resolver.FINAL_EVENTS
    assert set(EVENT_IDS) >= resolver.FINAL_EVENTS
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Ref": f"ResolverFunction{ALIAS}"}
    baseline = rules["baselines/EventCallbackResolverFunctionTaskStateChange"]
    assert baseline["EventPattern"] == rule["EventPattern"]


def test_every_function_has_exactly_the_variables_that_its_code_reads() -> None:
    variables = {
        name: set(function.get("Environment", {}).get("Variables", {}))
        for name, function in functions().items()
    }
    registry, key = table.TABLE_VARIABLE, reference.KEY_VARIABLE
    controller = {
        subscribers.TABLE_VARIABLE,
        postings.TABLE_VARIABLE,
        postings.TRADES_VARIABLE,
        mails.SENDER_VARIABLE,
    }
    secret, vendor = keys.SECRET_VARIABLE, partner.URL_VARIABLE
    of_webhook = {registry, key, secret, vendor, webhook_callback.URL_VARIABLE}
    of_approval = {
        registry,
        key,
        orders.TABLE_VARIABLE,
        outbox.BUS_VARIABLE,
        mails.SENDER_VARIABLE,
        approval.URL_VARIABLE,
    }
    assert {name: v for name, v in variables.items() if name not in baselines()} == {
        "polling/PollingFunction": set(),
        "polling/PollingStartFunction": {polling_start.FUNCTION_VARIABLE},
        "event_callback/EventCallbackFunction": {registry},
        "event_callback/EventCallbackStartFunction": {event_start.FUNCTION_VARIABLE},
        "event_callback/ResolverFunction": {registry},
        "webhook_callback/WebhookCallbackFunction": of_webhook,
        "webhook_callback/WebhookCallbackStartFunction": {webhook_start.FUNCTION_VARIABLE},
        "webhook_callback/WebhookEndpointFunction": {registry, secret},
        "webhook_callback/RotationFunction": {secret, vendor},
        "approval/ApprovalFunction": of_approval,
        "approval/ApprovalStartFunction": {approval_start.FUNCTION_VARIABLE},
        "approval/ApprovalPageFunction": {registry},
        "callbacks/OverdueFunction": {registry, overdue.STACK_VARIABLE},
        "batch_import/BatchImportFunction": {totals.TABLE_VARIABLE},
        "batch_import/BatchImportStartFunction": {import_start.FUNCTION_VARIABLE},
        "fan_out/AddPostingFunction": {postings.TABLE_VARIABLE, start.BOOKKEEPING_VARIABLE},
        "fan_out/PostingBookkeepingFunction": {*controller, fan_out.MAIL_FUNCTION_VARIABLE},
        "fan_out/PostingMailFunction": {postings.TABLE_VARIABLE, mails.SENDER_VARIABLE},
        "schedule/ScheduleFunction": {work.TABLE_VARIABLE, work.QUEUE_VARIABLE},
        "schedule/ScheduleStartFunction": {schedule_start.FUNCTION_VARIABLE},
        "workflow/WorkflowFunction": {ledger_writes.TABLE_VARIABLE},
        "workflow/WorkflowStartFunction": {workflow_start.FUNCTION_VARIABLE},
        "versioned/VersionedFunction": {shop.TABLE_VARIABLE},
        "versioned/VersionedStartFunction": {versioned_start.FUNCTION_VARIABLE},
    }
    ledger = {ledger_writes.TABLE_VARIABLE, workflow_state.TABLE_VARIABLE}
    sweep = {workflow_state.TABLE_VARIABLE, workflow_baseline.FUNCTION_VARIABLE}
    rule = {schedule_baseline.RULE_VARIABLE, schedule_baseline.CALENDAR_VARIABLE}
    assert {name: variables[name] for name in baselines()} == {
        "baselines/PollingBeginFunction": {polling_baseline.TABLE_VARIABLE},
        "baselines/PollingCheckFunction": {polling_baseline.TABLE_VARIABLE},
        "baselines/EventCallbackStartFunction": {event_callback_baseline.TABLE_VARIABLE},
        "baselines/EventCallbackResolverFunction": {event_callback_baseline.TABLE_VARIABLE},
        "baselines/BatchImportFunction": {totals.TABLE_VARIABLE},
        "baselines/PostingFunction": {
            postings.TABLE_VARIABLE,
            fan_out_baseline.CONTROLLER_VARIABLE,
        },
        "baselines/PostingControllerFunction": controller,
        "baselines/ScheduleFunction": {work.TABLE_VARIABLE, work.QUEUE_VARIABLE, *rule},
        "baselines/StartFunction": set(),
        "baselines/WorkflowFunction": ledger,
        "baselines/WorkflowSweepFunction": sweep,
    }


@pytest.mark.parametrize("name", sorted(DURABLE))
def test_whatever_starts_a_durable_function_receives_it_qualified(name: str) -> None:
    folder, durable = name.split("/")
    starters = {
        n: f for n, f in functions().items() if f["Handler"] == f"patterns.{folder}.start.handler"
    }
    (starter,) = starters.values()
    qualified = latest(name) if name == UNPINNED else {"Ref": f"{durable}{ALIAS}"}
    assert qualified in starter["Environment"]["Variables"].values()


@pytest.mark.parametrize("folder", WAITING)
def test_overdue_answers_are_sent_from_the_patterns_own_table_to_its_own_function(
    folder: str,
) -> None:
    nested = written(folder)["Resources"]["Overdue"]["Properties"]["Parameters"]
    (durable,) = (n.split("/")[1] for n in DURABLE if n.startswith(f"{folder}/"))
    assert nested["CallbacksTable"] == {"Ref": "CallbacksTable"}
    assert nested["FunctionArn"] in (
        {"Fn::GetAtt": [durable, "Arn"]},
        {"Fn::GetAtt": f"{durable}.Arn"},
    )


def test_overdue_answers_are_counted_more_often_than_they_become_overdue() -> None:
    schedule = of_type("AWS::Scheduler::Schedule")["callbacks/OverdueFunctionEvery5Minutes"]
    assert schedule["ScheduleExpression"] == "rate(5 minutes)"
    assert overdue.MAX_INTENT_SECONDS > 5 * 60
    assert schedule["Target"]["Arn"] == {"Ref": f"OverdueFunction{ALIAS}"}
    timeout = functions()["callbacks/OverdueFunction"]["Timeout"]
    assert overdue.MAX_SETTLING_SECONDS < timeout < 5 * 60


def test_the_code_can_read_the_generated_secret() -> None:
    (secret,) = of_type("AWS::SecretsManager::Secret").values()
    generated = secret["GenerateSecretString"]
    # Letters and digits only; punctuation would need escaping somewhere.
    assert generated["ExcludePunctuation"] is True
    content = {
        **json.loads(generated["SecretStringTemplate"]),
        generated["GenerateStringKey"]: "x" * generated["PasswordLength"],
    }
    assert keys.Keys.model_validate(content).accepted(0) == [content["current"]]


def test_the_rotation_uses_the_functions_alias_and_waits_until_the_vendor_has_the_key() -> None:
    (rotation,) = of_type("AWS::SecretsManager::RotationSchedule").values()
    assert rotation["RotationLambdaARN"] == {"Ref": f"RotationFunction{ALIAS}"}
    assert rotation["RotateImmediatelyOnUpdate"] is False
    assert rotation["RotationRules"] == {"AutomaticallyAfterDays": 30}


def test_the_reference_keys_generate_the_macs_that_the_code_requests() -> None:
    mac_keys = of_type("AWS::KMS::Key")
    assert mac_keys.keys() == {"approval/ReferenceKey", "webhook_callback/ReferenceKey"}
    for key in mac_keys.values():
        assert (key["KeySpec"], key["KeyUsage"]) == ("HMAC_256", "GENERATE_VERIFY_MAC")


def test_every_nested_resource_was_looked_at() -> None:
    assert len({name.split("/")[0] for name in resources()}) == len(NESTED)
