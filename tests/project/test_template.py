"""Each template has what its pattern needs to run, and nothing more."""

from __future__ import annotations

import copy
import graphlib
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from dacapo.sdk.installed import is_durable
from patterns import transient
from patterns.approval import handler as approval
from patterns.batch_import import handler as batch_import
from patterns.batch_import import logic
from patterns.event_callback import handler as event_callback
from patterns.fan_out import handler as fan_out
from patterns.fan_out import mailing
from patterns.polling import handler as polling
from patterns.schedule.plan import MAX_ROUNDS
from patterns.versioned import handler as versioned
from patterns.versioned import logic as preorders
from patterns.webhook_callback import handler as webhook_callback
from patterns.workflow import handler as workflow
from tests.project.template import (
    ALIAS,
    DURABLE,
    NESTED,
    PATTERNS,
    TOP,
    UNPINNED,
    WAITING,
    baselines,
    dependencies,
    expanded,
    functions,
    latest,
    of_type,
    references,
    resources,
    written,
)
from tools import lint_template, sam

EVERY = [TOP, *NESTED]
MAX_LINES = 400
RETRIES_SECONDS = sum(
    min(
        transient.INITIAL_DELAY.to_seconds() * transient.BACKOFF_RATE**number,
        transient.MAX_DELAY.to_seconds(),
    )
    for number in range(transient.RETRIES)
)
"""How long a step retries at most: without jitter, 12 hours and 20 minutes."""


def handler_of(function: dict[str, Any]) -> Any:
    module, _, attribute = function["Handler"].rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def execution_timeout(function: str) -> int:
    return int(functions()[function]["DurableConfig"]["ExecutionTimeout"])


@pytest.mark.prove
@pytest.mark.parametrize("folder", EVERY)
def test_both_forms_of_every_template_pass_the_lint(folder: str) -> None:
    assert lint_template.findings(sam.TOP if folder == TOP else sam.TEMPLATES[folder]) == []


@pytest.mark.prove
def test_the_lint_reports_an_error_that_only_the_expanded_form_shows(tmp_path: Path) -> None:
    broken = tmp_path / "template.yaml"
    broken.write_text("""\
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {CodeUri: src/}}
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      Handler: orders.handler
      Runtime: python3.13
      DurableConfig: {ExecutionTimeout: 0}
""")
    (message,) = lint_template.findings(broken)
    assert "expanded" in message
    assert "ExecutionTimeout" in message


@pytest.mark.parametrize("folder", EVERY)
def test_every_template_is_short_and_has_anchors_only_among_its_alarms(folder: str) -> None:
    text = (sam.TOP if folder == TOP else sam.TEMPLATES[folder]).read_text()
    assert len(text.splitlines()) <= MAX_LINES
    before_the_alarms = text.partition("# -- alarms")[0]
    assert not re.findall(r"[:{] [&*]\w", before_the_alarms)


def test_there_is_a_template_for_each_pattern_and_two_more() -> None:
    assert {*PATTERNS, "callbacks", "baselines"} == set(NESTED)
    folders = {path.parent.name for path in (sam.ROOT / "src/patterns").glob("*/handler.py")}
    assert folders == set(PATTERNS)


def applications(folder: str) -> dict[str, dict[str, Any]]:
    """Return the applications that a template nests, by the folder that each is in."""
    nested = {
        Path(resource["Properties"]["Location"]).parent.name: resource
        for resource in written(folder)["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Application"
    }
    start = (sam.TOP if folder == TOP else sam.TEMPLATES[folder]).parent
    for name, application in nested.items():
        location = start / application["Properties"]["Location"]
        assert location.resolve() == sam.TEMPLATES[name]
    return nested


def test_the_template_at_the_top_nests_all_and_holds_only_the_alarm_topic_itself() -> None:
    assert applications(TOP).keys() == {*PATTERNS, "baselines"}
    kinds = {resource["Type"] for resource in written(TOP)["Resources"].values()}
    assert kinds == {
        "AWS::Serverless::Application",
        "AWS::SNS::Topic",
        "AWS::SNS::Subscription",
    }


def test_only_patterns_that_wait_for_a_callback_nest_a_template() -> None:
    nesting = {folder for folder in NESTED if applications(folder)}
    assert nesting == set(WAITING)
    assert all(applications(folder).keys() == {"callbacks"} for folder in WAITING)


@pytest.mark.parametrize("folder", [TOP, *WAITING])
def test_a_nested_template_gets_every_parameter_that_it_takes(folder: str) -> None:
    for name, application in applications(folder).items():
        arguments = application["Properties"]["Parameters"]
        assert arguments.keys() == written(name)["Parameters"].keys(), name
        for parameter, value in arguments.items():
            if parameter in written(folder)["Parameters"] or parameter == "AlarmTopic":
                assert value == {"Ref": parameter}


@pytest.mark.parametrize("folder", NESTED)
def test_the_parameters_that_templates_share_are_the_same_everywhere(folder: str) -> None:
    shared = written(folder)["Parameters"]
    for name in shared.keys() & written(TOP)["Parameters"].keys() - {"KeepData"}:
        assert shared[name] == written(TOP)["Parameters"][name], name
    assert {"AlarmTopic", "LogRetentionDays"} <= shared.keys()
    assert shared["AlarmTopic"]["Default"] == ""


@pytest.mark.parametrize("folder", EVERY)
def test_the_resources_have_no_circular_dependencies(folder: str) -> None:
    graph = dependencies(expanded(folder))
    assert any(graph.values())
    graphlib.TopologicalSorter(graph).prepare()


def test_naming_the_durable_function_in_the_endpoints_role_would_be_circular() -> None:
    """The reason for a separate `WebhookEndpointAnswerPolicy`; also proves the test above works."""
    template = copy.deepcopy(expanded("webhook_callback"))
    graph = dependencies(template)
    assert f"WebhookEndpointFunction{ALIAS}" in graph["HttpApi"]
    assert "HttpApi" in graph["WebhookCallbackFunction"]
    assert "RotationPermission" in graph["SigningSecretRotation"]
    policy = template["Resources"].pop("WebhookEndpointAnswerPolicy")["Properties"]
    role = template["Resources"]["WebhookEndpointFunctionRole"]["Properties"]
    role["Policies"].append({"PolicyDocument": policy["PolicyDocument"]})
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(dependencies(template)).prepare()


def test_every_handler_can_be_imported() -> None:
    assert len(functions()) == 35
    for function in functions().values():
        assert callable(handler_of(function))


def test_every_function_is_in_the_template_of_its_package() -> None:
    for name, function in functions().items():
        package = function["Handler"].split(".")[:2]
        assert name.split("/")[0] in package


def test_exactly_the_durable_functions_have_durable_handlers() -> None:
    for name, function in functions().items():
        has_durable_handler = is_durable(handler_of(function))
        assert has_durable_handler == ("DurableConfig" in function) == (name in DURABLE)


WAITS = {
    "polling": polling.PACE.max_polls * polling.PACE.max_delay.to_seconds(),
    "event_callback": event_callback.MAX_WAITS * event_callback.EVENT_TIMEOUT.to_seconds(),
    "webhook_callback": webhook_callback.ANSWER_TIMEOUT.to_seconds(),
    "approval": approval.ANSWER_TIMEOUT.to_seconds(),
    "batch_import": logic.MAX_BATCHES * batch_import.PAUSE.to_seconds(),
    "fan_out": sum(pause.to_seconds() for pause in fan_out.CONFIRMATION_PAUSES),
    # Rounds are at most 90 minutes apart.
    "schedule": MAX_ROUNDS * 90 * 60,
    "workflow": workflow.MAX_CHECKS * workflow.CHECK_INTERVAL.to_seconds(),
    "versioned": preorders.MAX_WAIT.total_seconds() + versioned.RETURN_PERIOD.to_seconds(),
}
STEPS = {
    "polling": 2,
    "event_callback": 3,
    "webhook_callback": 3,
    "approval": 5,
    "batch_import": 2,
    "fan_out": 1,  # more would exceed the quota of operations: see the next test
    "schedule": 2,
    "workflow": 6,
    "versioned": 5,
}
"""How many steps in a row may each retry as long as they can, within the ExecutionTimeout."""


@pytest.mark.parametrize("name", sorted(DURABLE))
def test_every_execution_timeout_exceeds_the_total_wait_and_the_retries(name: str) -> None:
    pattern = name.split("/", maxsplit=1)[0]
    assert RETRIES_SECONDS > 12 * 3600
    assert execution_timeout(name) > WAITS[pattern] + STEPS[pattern] * RETRIES_SECONDS


def test_a_mailing_ends_before_its_retries_exceed_the_quota_of_operations() -> None:
    name = "fan_out/PostingBookkeepingFunction"
    assert execution_timeout(name) == mailing.EXECUTION_TIMEOUT_SECONDS


def test_every_callback_timeout_is_shorter_than_its_functions_execution_timeout() -> None:
    timeouts = {
        "event_callback/EventCallbackFunction": [event_callback._WAIT.timeout],
        "webhook_callback/WebhookCallbackFunction": [
            webhook_callback._WAIT.timeout,
            webhook_callback._WAIT.heartbeat_timeout,
        ],
        "approval/ApprovalFunction": [approval.ANSWER_TIMEOUT],
    }
    for name, durations in timeouts.items():
        for timeout in durations:
            assert 0 < timeout.to_seconds() < execution_timeout(name)


@pytest.mark.parametrize("folder", NESTED)
def test_any_change_to_a_function_publishes_a_version_under_the_alias(folder: str) -> None:
    template = written(folder)
    settings = template["Globals"]["Function"]
    if folder == "versioned":
        settings = template["Resources"]["VersionedStartFunction"]["Properties"]
    assert settings["AutoPublishAlias"] == "live"
    assert settings["AutoPublishAliasAllProperties"] is True
    for name in functions():
        assert (f"{name}{ALIAS}" in resources()) == (name != UNPINNED)


def test_only_executions_of_the_versioned_pattern_run_as_latest() -> None:
    """All others stay on the version that they started with: no deployment can break them."""
    folder, function = UNPINNED.split("/")
    assert f"{UNPINNED}{ALIAS}" not in resources()
    assert expanded(folder)["Outputs"][function]["Value"] == latest(UNPINNED)
    texts = [path.read_text() for path in (sam.TOP, *sam.TEMPLATES.values())]
    assert [text.count(":$LATEST") > 0 for text in texts].count(True) == 1


def test_no_function_has_a_custom_name() -> None:
    """DurableConfig can only be set at creation, and two functions can't share a name."""
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
    for name, function in functions().items():
        assert function["Architectures"] == ["arm64"]
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": {"Ref": "Logs"}}
        assert groups[f"{name.split('/')[0]}/Logs"]["RetentionInDays"] == {
            "Ref": "LogRetentionDays"
        }


def test_only_the_schedule_function_may_invoke_itself_recursively() -> None:
    loops = {name for name, f in functions().items() if f.get("RecursiveLoop") == "Allow"}
    assert loops == {"schedule/ScheduleFunction"}


def test_a_chunk_of_an_import_fits_into_an_invocation() -> None:
    seconds = functions()["batch_import/BatchImportFunction"]["Timeout"]
    slowest = logic.MIB  # bytes per second
    assert logic.BATCHES_PER_CHUNK * logic.BATCH_BYTES / slowest < seconds / 2


def test_baselines_are_deployed_only_on_request_and_nothing_depends_on_them() -> None:
    assert written(TOP)["Parameters"]["Baselines"]["Default"] == "no"
    conditional = {n for n, r in expanded(TOP)["Resources"].items() if "Condition" in r}
    assert conditional == {"Baseline", "AlarmSubscription"}
    assert expanded(TOP)["Resources"]["Baseline"]["Condition"] == "HasBaselines"
    assert not {n for n, needs in dependencies(expanded(TOP)).items() if "Baseline" in needs}
    assert "Baseline" not in set(references(expanded(TOP)["Outputs"]))
    for name, function in functions().items():
        assert (name in baselines()) == function["Handler"].startswith("baselines.")


def test_every_state_machine_is_deployed_from_the_file_that_the_tests_run() -> None:
    machines = {
        name: resource["Properties"]["DefinitionUri"]
        for name, resource in written("baselines")["Resources"].items()
        if resource["Type"] == "AWS::Serverless::StateMachine"
    }
    assert machines == {
        "PollingStateMachine": "polling.asl.json",
        "EventCallbackStateMachine": "event_callback.asl.json",
    }
    name = "EventCallbackStateMachine"
    deployed = of_type("AWS::StepFunctions::StateMachine")[f"baselines/{name}"]
    text = (sam.TEMPLATES["baselines"].parent / machines[name]).read_text()
    used = set(re.findall(r"\$\{(\w+)\}", text))
    assert deployed["DefinitionSubstitutions"].keys() == used == {"StartFunction"}


def test_the_outputs_reference_functions_by_alias() -> None:
    for folder in PATTERNS:
        outputs = expanded(folder)["Outputs"]
        assert any(f"{folder}/{name}" in DURABLE for name in outputs), folder
        for name, output in outputs.items():
            if name.endswith("Function") and f"{folder}/{name}" != UNPINNED:
                assert output["Value"] == {"Ref": f"{name}{ALIAS}"}


@pytest.mark.parametrize("folder", NESTED)
def test_everything_that_may_be_needed_from_outside_is_an_output(folder: str) -> None:
    """The tables, buckets, keys, secrets, queues and starters of the patterns."""
    needed = {"Table", "Bucket", "Key", "Secret", "Queue", "StartFunction"}
    names = {
        name
        for name in written(folder)["Resources"]
        if any(name.endswith(kind) for kind in needed) and folder != "baselines"
    }
    internal = {"BatchImportStartFunction", "PostingsTable", "TradesTable"}
    assert names - internal <= expanded(folder).get("Outputs", {}).keys()


def test_the_outputs_at_the_top_exist_in_the_nested_templates() -> None:
    locations = {
        name: Path(resource["Properties"]["Location"]).parent.name
        for name, resource in written(TOP)["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Application"
    }
    passed_on = [
        output["Value"]["Fn::GetAtt"]
        for name, output in written(TOP)["Outputs"].items()
        if name != "AlarmTopic"
    ]
    for value in passed_on:
        nested, _, output = ".".join(as_parts(value)).partition(".Outputs.")
        assert output in written(locations[nested])["Outputs"]
    starters = {n for n in functions() if n.endswith("StartFunction")} - baselines()
    outputs = {name.split("/")[1] for name in starters} - {"BatchImportStartFunction"}
    assert outputs <= written(TOP)["Outputs"].keys()


def as_parts(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]
