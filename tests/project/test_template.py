"""The template: what the patterns need to run, and no more than that."""

from __future__ import annotations

import graphlib
import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from dacapo.sdk_internals.installed import is_durable
from patterns import callback_rows, mails, overdue, reference, starter
from patterns.approval import handler as approval
from patterns.approval import orders, outbox
from patterns.batch_import import begin as import_begin
from patterns.batch_import import handler as batch_import
from patterns.batch_import import logic, totals
from patterns.event_callback import before as token_before
from patterns.event_callback import handler as event_callback
from patterns.event_callback import resolver
from patterns.fan_out import add_leed, leeds, subscribers
from patterns.fan_out import before as leed_before
from patterns.fan_out import handler as fan_out
from patterns.fan_out.patience import CONFIRMATION_PAUSES
from patterns.polling import before as polling_before
from patterns.polling import handler as polling
from patterns.schedule import before as schedule_before
from patterns.schedule import begin as schedule_begin
from patterns.schedule import work
from patterns.schedule.plan import MOST_ROUNDS
from patterns.webhook_callback import handler as webhook_callback
from patterns.webhook_callback import keys, partner
from patterns.workflow import before as workflow_before
from patterns.workflow import before_state, ledger_writes
from patterns.workflow import begin as workflow_begin
from patterns.workflow import handler as workflow
from scenarios.worlds.beyond_moto import EVENT_IDS
from tests.project.template import (
    ALIAS,
    DURABLE,
    dependencies,
    expanded,
    functions,
    hand_made,
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


def test_both_forms_of_the_template_are_clean() -> None:
    assert lint_template.findings() == []


def test_the_lint_finds_what_is_wrong_in_the_expanded_form_only(
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
    (found,) = lint_template.findings()
    assert "expanded" in found
    assert "ExecutionTimeout" in found


def test_nothing_has_to_be_made_before_itself() -> None:
    graph = dependencies(expanded())
    assert "WebhookEndpointFunctionAliaslive" in graph["HttpApi"]
    assert "HttpApi" in graph["WebhookCallbackFunction"]
    assert "RotationFromSecretsManager" in graph["SigningSecretRotation"]
    graphlib.TopologicalSorter(graph).prepare()


def test_the_endpoints_own_role_could_not_name_the_durable_function() -> None:
    """Why `WebhookEndpointAnswers` is a policy of its own; and the test above would notice."""
    template = sam.expand()
    answers = template["Resources"].pop("WebhookEndpointAnswers")["Properties"]
    role = template["Resources"]["WebhookEndpointFunctionRole"]["Properties"]
    role["Policies"].append({"PolicyDocument": answers["PolicyDocument"]})
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(dependencies(template)).prepare()


def test_every_handler_can_be_imported() -> None:
    assert len(functions()) == 30
    for function in functions().values():
        assert callable(handler_of(function))


def test_the_durable_handlers_are_durable_and_the_others_are_not() -> None:
    for name, function in functions().items():
        has_durable_handler = is_durable(handler_of(function))
        assert has_durable_handler == ("DurableConfig" in function) == (name in DURABLE)


def test_an_execution_may_last_longer_than_it_waits() -> None:
    waits = {
        "PollingFunction": polling.PACE.most_polls * polling.PACE.longest_pause.to_seconds(),
        "EventCallbackFunction": event_callback.MOST_WAITS
        * event_callback.EVENT_TIMEOUT.to_seconds(),
        "WebhookCallbackFunction": webhook_callback.ANSWER_TIMEOUT.to_seconds(),
        "ApprovalFunction": approval.ANSWER_TIMEOUT.to_seconds(),
        "BatchImportFunction": logic.MOST_BATCHES * batch_import.PAUSE.to_seconds(),
        "LeedBookkeepingFunction": sum(pause.to_seconds() for pause in CONFIRMATION_PAUSES),
        # Each moment comes 90 minutes after the one before it at the latest.
        "ScheduleFunction": MOST_ROUNDS * 90 * 60,
        "WorkflowFunction": workflow.MOST_LOOKS * workflow.LOOK_EVERY.to_seconds(),
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


def test_every_function_is_published_as_a_version_under_an_alias_when_anything_changes() -> None:
    template = sam.read()
    assert template["Globals"]["Function"]["AutoPublishAlias"] == "live"
    for name in functions():
        assert template["Resources"][name]["Properties"]["AutoPublishAliasAllProperties"] is True
        assert f"{name}{ALIAS}" in resources()


def test_no_function_has_a_name_of_its_own() -> None:
    """A change of DurableConfig replaces the function, and two can't have one name."""
    assert all("FunctionName" not in function for function in functions().values())


def test_nothing_has_a_name_that_a_second_stack_could_not_have() -> None:
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


def test_every_function_runs_on_arm64_is_traced_and_logs_json_to_a_group_with_an_end() -> None:
    groups = of_type("AWS::Logs::LogGroup")
    own = {name: f["LoggingConfig"]["LogGroup"]["Ref"] for name, f in functions().items()}
    assert {own.pop(name) for name in hand_made()} == {"HandMadeLogs"}
    assert len(set(own.values())) == len(own)
    for function in functions().values():
        assert function["Architectures"] == ["arm64"]
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        assert groups[function["LoggingConfig"]["LogGroup"]["Ref"]]["RetentionInDays"]


def test_the_registry_expires_rows_can_be_restored_and_is_encrypted() -> None:
    table = of_type("AWS::DynamoDB::Table")["CallbacksTable"]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["SSESpecification"]["SSEEnabled"] is True
    assert table["KeySchema"] == [{"AttributeName": "callback_reference", "KeyType": "HASH"}]
    assert table["KeySchema"][0]["AttributeName"] == callback_rows.KEY


def test_whatever_was_made_by_hand_is_deployed_only_if_it_is_asked_for() -> None:
    assert sam.read()["Parameters"]["HandMade"]["Default"] == "no"
    assert hand_made() == {
        name for name, function in functions().items() if ".before." in function["Handler"]
    } | {"StartBeforeFunction"}
    assert {r["Condition"] for n, r in resources().items() if "Before" in n or "HandMade" in n} == {
        "IsHandMade"
    }


def test_nothing_that_is_always_there_needs_what_was_made_by_hand() -> None:
    graph = dependencies(expanded())
    optional = {n for n, r in resources().items() if r.get("Condition") == "IsHandMade"}
    assert len(optional) > 50
    assert not {n for n, needs in graph.items() if n not in optional and needs & optional}


def test_a_state_machine_is_deployed_from_the_file_that_the_tests_run() -> None:
    machines = {
        name: resource["Properties"]["DefinitionUri"]
        for name, resource in sam.read()["Resources"].items()
        if resource["Type"] == "AWS::Serverless::StateMachine"
    }
    assert machines == {
        "PollingMachine": "src/patterns/polling/before.asl.json",
        "TokenMachine": "src/patterns/event_callback/before.asl.json",
    }
    token = of_type("AWS::StepFunctions::StateMachine")["TokenMachine"]
    used = set(re.findall(r"\$\{(\w+)\}", (ROOT / machines["TokenMachine"]).read_text()))
    assert token["DefinitionSubstitutions"].keys() == used == {"StartFunction"}


def test_the_schedules_function_may_start_itself_and_no_other_may() -> None:
    loops = {name for name, f in functions().items() if f.get("RecursiveLoop") == "Allow"}
    assert loops == {"ScheduleFunction"}


def test_what_is_put_into_a_bucket_of_imports_is_told_and_seen_by_nobody_else() -> None:
    buckets = of_type("AWS::S3::Bucket")
    assert buckets.keys() == {"ImportsBucket", "HandMadeImportsBucket"}
    for bucket in buckets.values():
        told = bucket["NotificationConfiguration"]["EventBridgeConfiguration"]
        assert told == {"EventBridgeEnabled": True}
        assert all(bucket["PublicAccessBlockConfiguration"].values())


def test_a_chunk_of_an_import_fits_into_an_invocation() -> None:
    seconds = functions()["BatchImportFunction"]["Timeout"]
    slowest = logic.MIB  # a second
    assert logic.BATCHES_IN_A_CHUNK * logic.BATCH_BYTES / slowest < seconds / 2


def test_the_keys_of_the_tables_are_those_of_the_code() -> None:
    keys_of = {
        name: [key["AttributeName"] for key in table["KeySchema"]]
        for name, table in of_type("AWS::DynamoDB::Table").items()
    }
    assert keys_of == {
        "CallbacksTable": [callback_rows.KEY],
        "OrdersTable": [orders.KEY],
        "TotalsTable": [totals.KEY],
        "ReadingsTable": [work.KEY, work.SORT_KEY],
        "LeedsTable": [leeds.KEY],
        "SubscribersTable": [subscribers.KEY, subscribers.SORT_KEY],
        "TradesTable": [leeds.TRADES_KEY],
        "ShopTable": [ledger_writes.KEY],
        "MigrationsTable": [polling_before.KEY],
        "TaskTokensTable": [token_before.KEY],
        "WorkflowsTable": [before_state.KEY],
    }


def test_orders_are_kept_can_be_restored_and_are_encrypted() -> None:
    table = of_type("AWS::DynamoDB::Table")["OrdersTable"]
    assert "TimeToLiveSpecification" not in table
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["SSESpecification"]["SSEEnabled"] is True
    assert table["KeySchema"] == [{"AttributeName": orders.KEY, "KeyType": "HASH"}]


def test_the_rule_brings_the_events_that_the_resolver_knows() -> None:
    rule = of_type("AWS::Events::Rule")["ResolverFunctionTaskStateChange"]
    assert rule["EventPattern"]["source"] == ["aws.dms"]
    assert rule["EventPattern"]["detail-type"] == ["DMS Replication Task State Change"]
    assert set(rule["EventPattern"]["detail"]["eventType"]) == resolver.ENDINGS
    assert set(EVENT_IDS) >= resolver.ENDINGS
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Ref": f"ResolverFunction{ALIAS}"}


def test_the_variables_that_the_code_reads_are_the_ones_that_are_set() -> None:
    variables = {
        name: set(function.get("Environment", {}).get("Variables", {}))
        for name, function in functions().items()
    }
    registry, key = callback_rows.TABLE_VARIABLE, reference.KEY_VARIABLE
    controller = {
        subscribers.TABLE_VARIABLE,
        leeds.TABLE_VARIABLE,
        leeds.TRADES_VARIABLE,
        mails.SENDER_VARIABLE,
    }
    secret, agency = keys.SECRET_VARIABLE, partner.URL_VARIABLE
    assert variables == {
        "PollingFunction": set(),
        "EventCallbackFunction": {registry},
        "ResolverFunction": {registry},
        "WebhookCallbackFunction": {registry, key, secret, agency, webhook_callback.URL_VARIABLE},
        "WebhookEndpointFunction": {registry, secret},
        "RotationFunction": {secret, agency},
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
        "StarterFunction": {starter.FUNCTION_VARIABLE},
        "BatchImportFunction": {totals.TABLE_VARIABLE},
        "BatchImportBeginFunction": {import_begin.FUNCTION_VARIABLE},
        "AddLeedFunction": {leeds.TABLE_VARIABLE, add_leed.BOOKKEEPING_VARIABLE},
        "LeedBookkeepingFunction": {
            *controller,
            fan_out.MAIL_FUNCTION_VARIABLE,
        },
        "LeedMailFunction": {leeds.TABLE_VARIABLE, mails.SENDER_VARIABLE},
        "ScheduleFunction": {work.TABLE_VARIABLE, work.QUEUE_VARIABLE},
        "ScheduleBeginFunction": {schedule_begin.FUNCTION_VARIABLE},
        "WorkflowFunction": {ledger_writes.TABLE_VARIABLE},
        "WorkflowBeginFunction": {workflow_begin.FUNCTION_VARIABLE},
        # By hand.
        "PollingBeginFunction": {polling_before.TABLE_VARIABLE},
        "PollingLookFunction": {polling_before.TABLE_VARIABLE},
        "TokenStartFunction": {token_before.TABLE_VARIABLE},
        "TokenResolveFunction": {token_before.TABLE_VARIABLE},
        "BatchImportBeforeFunction": {totals.TABLE_VARIABLE},
        "LeedBeforeFunction": {leeds.TABLE_VARIABLE, leed_before.CONTROLLER_VARIABLE},
        "LeedControllerFunction": controller,
        "ScheduleBeforeFunction": {
            work.TABLE_VARIABLE,
            work.QUEUE_VARIABLE,
            schedule_before.RULE_VARIABLE,
            schedule_before.CALENDAR_VARIABLE,
        },
        "StartBeforeFunction": set(),
        "WorkflowBeforeFunction": {ledger_writes.TABLE_VARIABLE, before_state.TABLE_VARIABLE},
        "WorkflowSweepFunction": {before_state.TABLE_VARIABLE, workflow_before.FUNCTION_VARIABLE},
    }


def test_the_starter_is_given_a_function_with_its_alias() -> None:
    variables = functions()["StarterFunction"]["Environment"]["Variables"]
    assert variables[starter.FUNCTION_VARIABLE] == {"Ref": f"EventCallbackFunction{ALIAS}"}


def test_the_first_secret_is_one_that_the_code_can_read() -> None:
    generated = of_type("AWS::SecretsManager::Secret")["SigningSecret"]["GenerateSecretString"]
    # Letters and digits; punctuation would have to be escaped somewhere.
    assert generated["ExcludePunctuation"] is True
    secret = {
        **json.loads(generated["SecretStringTemplate"]),
        generated["GenerateStringKey"]: "x" * generated["PasswordLength"],
    }
    assert keys.Keys.model_validate(secret).accepted(0) == [secret["current"]]


def test_the_secret_is_rotated_by_the_functions_alias_and_not_before_the_agency_has_it() -> None:
    (rotation,) = of_type("AWS::SecretsManager::RotationSchedule").values()
    assert rotation["RotationLambdaARN"] == {"Ref": f"RotationFunction{ALIAS}"}
    assert rotation["RotateImmediatelyOnUpdate"] is False
    assert rotation["RotationRules"] == {"AutomaticallyAfterDays": 30}


def test_the_key_of_the_references_makes_the_macs_that_the_code_asks_for() -> None:
    (key,) = of_type("AWS::KMS::Key").values()
    assert (key["KeySpec"], key["KeyUsage"]) == ("HMAC_256", "GENERATE_VERIFY_MAC")


def test_the_overdue_answers_are_counted_as_often_as_they_become_overdue() -> None:
    schedule = of_type("AWS::Scheduler::Schedule")["OverdueFunctionEveryQuarterOfAnHour"]
    minutes = overdue.LONGEST_INTENT_SECONDS // 60
    assert schedule["ScheduleExpression"] == f"rate({minutes} minutes)"
    assert schedule["Target"]["Arn"] == {"Ref": f"OverdueFunction{ALIAS}"}


def test_the_outputs_name_functions_with_their_aliases() -> None:
    outputs = expanded()["Outputs"]
    starters = {"StarterFunction", "ScheduleBeginFunction", "WorkflowBeginFunction"}
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
        *(of_type("AWS::SQS::Queue").keys() - {"HandMadeDeadLetters"}),
    }
