"""The template has what the patterns need to run, and nothing more."""

from __future__ import annotations

import graphlib
import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from baselines import event_callback as event_callback_baseline
from baselines import fan_out as fan_out_baseline
from baselines import polling as polling_baseline
from baselines import schedule as schedule_baseline
from baselines import workflow as workflow_baseline
from baselines import workflow_state
from dacapo.sdk.installed import is_durable
from patterns import mails
from patterns.approval import handler as approval
from patterns.approval import orders, outbox
from patterns.batch_import import handler as batch_import
from patterns.batch_import import logic, totals
from patterns.batch_import import start as import_start
from patterns.callbacks import overdue, reference, table
from patterns.event_callback import handler as event_callback
from patterns.event_callback import resolver
from patterns.event_callback import start as start_migration
from patterns.fan_out import handler as fan_out
from patterns.fan_out import postings, start, subscribers
from patterns.polling import handler as polling
from patterns.schedule import start as schedule_start
from patterns.schedule import work
from patterns.schedule.plan import MAX_ROUNDS
from patterns.webhook_callback import handler as webhook_callback
from patterns.webhook_callback import keys, partner
from patterns.workflow import handler as workflow
from patterns.workflow import ledger_writes
from patterns.workflow import start as workflow_start
from scenarios.worlds.beyond_moto import EVENT_IDS
from tests.project.template import (
    ALIAS,
    DURABLE,
    baselines,
    dependencies,
    expanded,
    functions,
    of_type,
    resources,
)
from tools import lint_template, sam

ROOT = Path(__file__).parents[2]


def handler_of(function: dict[str, Any]) -> Any:
    module, _, attribute = function["Handler"].rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def execution_timeout(function: str) -> int:
    return int(functions()[function]["DurableConfig"]["ExecutionTimeout"])


@pytest.mark.prove
def test_both_forms_of_the_template_pass_the_lint() -> None:
    assert lint_template.findings() == []


def test_the_lint_reports_an_error_that_only_the_expanded_form_shows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    function = {
        "Code": {"ZipFile": "handler = print"},
        "Handler": "index.handler",
        "Role": "arn:aws:iam::123456789012:role/role",
        "Runtime": "python3.13",
        "DurableConfig": {"ExecutionTimeout": 0},
    }
    broken = {"Resources": {"Function": {"Type": "AWS::Lambda::Function", "Properties": function}}}
    as_written = tmp_path / "template.yaml"
    as_written.write_text("Resources: {Topic: {Type: AWS::SNS::Topic}}")
    monkeypatch.setattr(sam, "TEMPLATE", as_written)
    monkeypatch.setattr(sam, "expand", lambda: broken)
    (message,) = lint_template.findings()
    assert "expanded" in message
    assert "ExecutionTimeout" in message


def test_the_resources_have_no_circular_dependencies() -> None:
    graph = dependencies(expanded())
    assert "WebhookEndpointFunctionAliaslive" in graph["HttpApi"]
    assert "HttpApi" in graph["WebhookCallbackFunction"]
    assert "RotationPermission" in graph["SigningSecretRotation"]
    graphlib.TopologicalSorter(graph).prepare()


def test_naming_the_durable_function_in_the_endpoints_role_would_be_circular() -> None:
    """The reason for a separate `WebhookEndpointAnswerPolicy`; also proves the test above works."""
    template = sam.expand()
    policy = template["Resources"].pop("WebhookEndpointAnswerPolicy")["Properties"]
    role = template["Resources"]["WebhookEndpointFunctionRole"]["Properties"]
    role["Policies"].append({"PolicyDocument": policy["PolicyDocument"]})
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(dependencies(template)).prepare()


def test_every_handler_can_be_imported() -> None:
    assert len(functions()) == 30
    for function in functions().values():
        assert callable(handler_of(function))


def test_exactly_the_durable_functions_have_durable_handlers() -> None:
    for name, function in functions().items():
        has_durable_handler = is_durable(handler_of(function))
        assert has_durable_handler == ("DurableConfig" in function) == (name in DURABLE)


def test_every_execution_timeout_exceeds_the_total_wait() -> None:
    waits = {
        "PollingFunction": polling.PACE.max_polls * polling.PACE.max_delay.to_seconds(),
        "EventCallbackFunction": event_callback.MAX_WAITS
        * event_callback.EVENT_TIMEOUT.to_seconds(),
        "WebhookCallbackFunction": webhook_callback.ANSWER_TIMEOUT.to_seconds(),
        "ApprovalFunction": approval.ANSWER_TIMEOUT.to_seconds(),
        "BatchImportFunction": logic.MAX_BATCHES * batch_import.PAUSE.to_seconds(),
        "PostingBookkeepingFunction": sum(
            pause.to_seconds() for pause in fan_out.CONFIRMATION_PAUSES
        ),
        # Rounds are at most 90 minutes apart.
        "ScheduleFunction": MAX_ROUNDS * 90 * 60,
        "WorkflowFunction": workflow.MAX_CHECKS * workflow.CHECK_INTERVAL.to_seconds(),
    }
    assert waits.keys() == DURABLE
    for name, seconds in waits.items():
        assert execution_timeout(name) > seconds


def test_every_callback_timeout_is_shorter_than_its_functions_execution_timeout() -> None:
    timeouts = {
        "EventCallbackFunction": [event_callback._WAIT.timeout],
        "WebhookCallbackFunction": [
            webhook_callback._WAIT.timeout,
            webhook_callback._WAIT.heartbeat_timeout,
        ],
        "ApprovalFunction": [approval.ANSWER_TIMEOUT],
    }
    for name, durations in timeouts.items():
        for timeout in durations:
            assert 0 < timeout.to_seconds() < execution_timeout(name)


def test_any_change_to_a_function_publishes_a_version_under_the_alias() -> None:
    template = sam.read()
    assert template["Globals"]["Function"]["AutoPublishAlias"] == "live"
    for name in functions():
        assert template["Resources"][name]["Properties"]["AutoPublishAliasAllProperties"] is True
        assert f"{name}{ALIAS}" in resources()


def test_no_function_has_a_custom_name() -> None:
    """A change to DurableConfig replaces the function, and two functions can't share a name."""
    assert all("FunctionName" not in function for function in functions().values())


def test_no_name_conflicts_with_a_second_stack() -> None:
    for schedule in of_type("AWS::Scheduler::Schedule").values():
        assert "Name" not in schedule
    names = [rule["Name"] for rule in of_type("AWS::Events::Rule").values() if "Name" in rule]
    assert names == [{"Fn::Sub": "${AWS::StackName}-read-the-queue"}]
    (bus,) = of_type("AWS::Events::EventBus").values()
    assert bus["Name"] == {"Fn::Sub": "${AWS::StackName}-orders"}
    for resource in resources().values():
        own = {"TableName", "QueueName", "TopicName", "LogGroupName", "RoleName", "AlarmName"}
        own |= {"BucketName", "StateMachineName"}
        assert own.isdisjoint(resource.get("Properties", {}))


def test_every_function_runs_on_arm64_with_tracing_and_json_logs_that_expire() -> None:
    groups = of_type("AWS::Logs::LogGroup")
    own = {name: f["LoggingConfig"]["LogGroup"]["Ref"] for name, f in functions().items()}
    assert {own.pop(name) for name in baselines()} == {"BaselineLogs"}
    assert len(set(own.values())) == len(own)
    for function in functions().values():
        assert function["Architectures"] == ["arm64"]
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        assert groups[function["LoggingConfig"]["LogGroup"]["Ref"]]["RetentionInDays"]


def test_the_registry_expires_rows_and_is_recoverable_and_encrypted() -> None:
    properties = of_type("AWS::DynamoDB::Table")["CallbacksTable"]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert properties["SSESpecification"]["SSEEnabled"] is True
    assert properties["KeySchema"] == [{"AttributeName": "callback_reference", "KeyType": "HASH"}]
    assert properties["KeySchema"][0]["AttributeName"] == table.KEY


def test_baselines_are_deployed_only_on_request() -> None:
    assert sam.read()["Parameters"]["Baselines"]["Default"] == "no"
    assert baselines() == {
        name
        for name, function in functions().items()
        if function["Handler"].startswith("baselines.")
    }
    assert {r["Condition"] for n, r in resources().items() if "Baseline" in n} == {"HasBaselines"}


def test_no_required_resource_depends_on_a_baseline() -> None:
    graph = dependencies(expanded())
    optional = {n for n, r in resources().items() if r.get("Condition") == "HasBaselines"}
    assert len(optional) > 50
    assert not {n for n, needs in graph.items() if n not in optional and needs & optional}


def test_every_state_machine_is_deployed_from_the_file_that_the_tests_run() -> None:
    machines = {
        name: resource["Properties"]["DefinitionUri"]
        for name, resource in sam.read()["Resources"].items()
        if resource["Type"] == "AWS::Serverless::StateMachine"
    }
    assert machines == {
        "PollingBaselineStateMachine": "src/baselines/polling.asl.json",
        "EventCallbackBaselineStateMachine": "src/baselines/event_callback.asl.json",
    }
    name = "EventCallbackBaselineStateMachine"
    deployed = of_type("AWS::StepFunctions::StateMachine")[name]
    used = set(re.findall(r"\$\{(\w+)\}", (ROOT / machines[name]).read_text()))
    assert deployed["DefinitionSubstitutions"].keys() == used == {"StartFunction"}


def test_only_the_schedule_function_may_invoke_itself_recursively() -> None:
    loops = {name for name, f in functions().items() if f.get("RecursiveLoop") == "Allow"}
    assert loops == {"ScheduleFunction"}


def test_import_buckets_send_events_and_block_public_access() -> None:
    buckets = of_type("AWS::S3::Bucket")
    assert buckets.keys() == {"ImportsBucket", "BaselineImportsBucket"}
    for bucket in buckets.values():
        events = bucket["NotificationConfiguration"]["EventBridgeConfiguration"]
        assert events == {"EventBridgeEnabled": True}
        assert all(bucket["PublicAccessBlockConfiguration"].values())


def test_a_chunk_of_an_import_fits_into_an_invocation() -> None:
    seconds = functions()["BatchImportFunction"]["Timeout"]
    slowest = logic.MIB  # bytes per second
    assert logic.BATCHES_PER_CHUNK * logic.BATCH_BYTES / slowest < seconds / 2


def test_the_table_keys_match_the_code() -> None:
    keys_of = {
        name: [key["AttributeName"] for key in table["KeySchema"]]
        for name, table in of_type("AWS::DynamoDB::Table").items()
    }
    assert keys_of == {
        "CallbacksTable": [table.KEY],
        "OrdersTable": [orders.KEY],
        "TotalsTable": [totals.KEY],
        "ReadingsTable": [work.KEY, work.SORT_KEY],
        "PostingsTable": [postings.KEY],
        "SubscribersTable": [subscribers.KEY, subscribers.SORT_KEY],
        "TradesTable": [postings.TRADES_KEY],
        "ShopTable": [ledger_writes.KEY],
        "MigrationsTable": [polling_baseline.KEY],
        "TaskTokensTable": [event_callback_baseline.KEY],
        "WorkflowsTable": [workflow_state.KEY],
    }


def test_orders_never_expire_and_are_recoverable_and_encrypted() -> None:
    table = of_type("AWS::DynamoDB::Table")["OrdersTable"]
    assert "TimeToLiveSpecification" not in table
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["SSESpecification"]["SSEEnabled"] is True
    assert table["KeySchema"] == [{"AttributeName": orders.KEY, "KeyType": "HASH"}]


def test_the_rule_matches_the_events_that_the_resolver_handles() -> None:
    rule = of_type("AWS::Events::Rule")["ResolverFunctionTaskStateChange"]
    assert rule["EventPattern"]["source"] == ["aws.dms"]
    assert rule["EventPattern"]["detail-type"] == ["DMS Replication Task State Change"]
    assert set(rule["EventPattern"]["detail"]["eventType"]) == resolver.FINAL_EVENTS
    assert set(EVENT_IDS) >= resolver.FINAL_EVENTS
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Ref": f"ResolverFunction{ALIAS}"}


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
    assert variables == {
        "PollingFunction": set(),
        "EventCallbackFunction": {registry},
        "ResolverFunction": {registry},
        "WebhookCallbackFunction": {registry, key, secret, vendor, webhook_callback.URL_VARIABLE},
        "WebhookEndpointFunction": {registry, secret},
        "RotationFunction": {secret, vendor},
        "ApprovalFunction": {
            registry,
            key,
            orders.TABLE_VARIABLE,
            outbox.BUS_VARIABLE,
            outbox.SENDER_VARIABLE,
            approval.URL_VARIABLE,
        },
        "ApprovalPageFunction": {registry},
        "OverdueFunction": {registry},
        "StartMigrationFunction": {start_migration.FUNCTION_VARIABLE},
        "BatchImportFunction": {totals.TABLE_VARIABLE},
        "BatchImportStartFunction": {import_start.FUNCTION_VARIABLE},
        "AddPostingFunction": {postings.TABLE_VARIABLE, start.BOOKKEEPING_VARIABLE},
        "PostingBookkeepingFunction": {
            *controller,
            fan_out.MAIL_FUNCTION_VARIABLE,
        },
        "PostingMailFunction": {postings.TABLE_VARIABLE, mails.SENDER_VARIABLE},
        "ScheduleFunction": {work.TABLE_VARIABLE, work.QUEUE_VARIABLE},
        "ScheduleStartFunction": {schedule_start.FUNCTION_VARIABLE},
        "WorkflowFunction": {ledger_writes.TABLE_VARIABLE},
        "WorkflowStartFunction": {workflow_start.FUNCTION_VARIABLE},
        # Baselines.
        "PollingBaselineStartFunction": {polling_baseline.TABLE_VARIABLE},
        "PollingBaselineCheckFunction": {polling_baseline.TABLE_VARIABLE},
        "EventCallbackBaselineStartFunction": {event_callback_baseline.TABLE_VARIABLE},
        "EventCallbackBaselineResolverFunction": {event_callback_baseline.TABLE_VARIABLE},
        "BatchImportBaselineFunction": {totals.TABLE_VARIABLE},
        "PostingBaselineFunction": {postings.TABLE_VARIABLE, fan_out_baseline.CONTROLLER_VARIABLE},
        "PostingBaselineControllerFunction": controller,
        "ScheduleBaselineFunction": {
            work.TABLE_VARIABLE,
            work.QUEUE_VARIABLE,
            schedule_baseline.RULE_VARIABLE,
            schedule_baseline.CALENDAR_VARIABLE,
        },
        "StartBaselineFunction": set(),
        "WorkflowBaselineFunction": {ledger_writes.TABLE_VARIABLE, workflow_state.TABLE_VARIABLE},
        "WorkflowBaselineSweepFunction": {
            workflow_state.TABLE_VARIABLE,
            workflow_baseline.FUNCTION_VARIABLE,
        },
    }


def test_the_starter_receives_a_function_with_its_alias() -> None:
    variables = functions()["StartMigrationFunction"]["Environment"]["Variables"]
    assert variables[start_migration.FUNCTION_VARIABLE] == {"Ref": f"EventCallbackFunction{ALIAS}"}


def test_the_code_can_read_the_generated_secret() -> None:
    generated = of_type("AWS::SecretsManager::Secret")["SigningSecret"]["GenerateSecretString"]
    # Letters and digits only; punctuation would need escaping somewhere.
    assert generated["ExcludePunctuation"] is True
    secret = {
        **json.loads(generated["SecretStringTemplate"]),
        generated["GenerateStringKey"]: "x" * generated["PasswordLength"],
    }
    assert keys.Keys.model_validate(secret).accepted(0) == [secret["current"]]


def test_the_rotation_uses_the_functions_alias_and_waits_until_the_vendor_has_the_key() -> None:
    (rotation,) = of_type("AWS::SecretsManager::RotationSchedule").values()
    assert rotation["RotationLambdaARN"] == {"Ref": f"RotationFunction{ALIAS}"}
    assert rotation["RotateImmediatelyOnUpdate"] is False
    assert rotation["RotationRules"] == {"AutomaticallyAfterDays": 30}


def test_the_reference_key_generates_the_macs_that_the_code_requests() -> None:
    (key,) = of_type("AWS::KMS::Key").values()
    assert (key["KeySpec"], key["KeyUsage"]) == ("HMAC_256", "GENERATE_VERIFY_MAC")


def test_overdue_answers_are_counted_at_the_interval_at_which_they_become_overdue() -> None:
    schedule = of_type("AWS::Scheduler::Schedule")["OverdueFunctionEvery15Minutes"]
    minutes = overdue.MAX_INTENT_SECONDS // 60
    assert schedule["ScheduleExpression"] == f"rate({minutes} minutes)"
    assert schedule["Target"]["Arn"] == {"Ref": f"OverdueFunction{ALIAS}"}


def test_the_outputs_reference_functions_by_alias() -> None:
    outputs = expanded()["Outputs"]
    starters = {"StartMigrationFunction", "ScheduleStartFunction", "WorkflowStartFunction"}
    for name in DURABLE | starters:
        assert outputs[name]["Value"] == {"Ref": f"{name}{ALIAS}"}
    assert outputs.keys() == {
        *DURABLE,
        *starters,
        "HttpApiUrl",
        "CallbacksTable",
        "OrdersTable",
        "ImportsBucket",
        "TotalsTable",
        "ReadingsTable",
        "SubscribersTable",
        "ShopTable",
        "ReferenceKey",
        "SigningSecret",
        "AlarmTopic",
        *(of_type("AWS::SQS::Queue").keys() - {"BaselineDeadLetterQueue"}),
    }
