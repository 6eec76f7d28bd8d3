"""Least privilege: each role allows exactly the calls that its code makes."""

from __future__ import annotations

import json

import pytest

from tests.project.template import (
    DURABLE,
    NESTED,
    WAITING,
    as_list,
    function_of,
    functions,
    near,
    of_type,
    references,
    resources,
    statements,
    written,
)

SAM_ATTACHES = {
    # SAM attaches the first to its own roles, and the second for Tracing: Active.
    "AWSLambdaBasicExecutionRole",
    "AWSXrayWriteOnlyAccess",
}
ROLES = {name: name.removesuffix("Function") + "Role" for name in DURABLE}
"""The roles of the durable functions, which are not SAM's."""
RUNS_DURABLY = {"lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"}
ANSWERS = {
    "lambda:SendDurableExecutionCallbackFailure",
    "lambda:SendDurableExecutionCallbackSuccess",
}


def test_every_function_has_its_own_role() -> None:
    roles = [near(name, f["Role"]["Fn::GetAtt"][0]) for name, f in functions().items()]
    assert len(set(roles)) == len(roles)
    assert {n: near(n, functions()[n]["Role"]["Fn::GetAtt"][0]) for n in DURABLE} == ROLES


def test_no_policy_has_a_wildcard_action() -> None:
    for name, statement in statements():
        for action in as_list(statement["Action"]):
            assert "*" not in action, name


def test_no_policy_has_a_wildcard_resource_where_a_narrower_one_exists() -> None:
    wide = {
        action
        for _, statement in statements()
        if "*" in as_list(statement["Resource"])
        for action in as_list(statement["Action"])
    }
    # DescribeReplicationTasks supports no resource-level permissions (service authorization
    # reference).
    assert wide == {"dms:DescribeReplicationTasks"}


def test_every_statement_allows_explicitly_without_not_action_or_not_resource() -> None:
    for name, statement in statements():
        assert statement["Effect"] == "Allow", name
        assert not {"NotAction", "NotResource"} & statement.keys(), name


def managed_policies(role: str) -> set[str]:
    arns = of_type("AWS::IAM::Role")[role].get("ManagedPolicyArns", [])
    return {json.dumps(arn).rsplit("/", 1)[-1].strip('"}]') for arn in arns}


def test_no_role_has_the_managed_policy_that_allows_checkpoints_of_every_function() -> None:
    """SAM attaches AWSLambdaBasicDurableExecutionRolePolicy to any role that it generates."""
    attached = {name: managed_policies(name) for name in of_type("AWS::IAM::Role")}
    assert set().union(*attached.values()) == SAM_ATTACHES
    assert all(attached[role] == {"AWSXrayWriteOnlyAccess"} for role in ROLES.values())


@pytest.mark.parametrize("name", sorted(DURABLE))
def test_a_durable_function_may_checkpoint_only_its_own_executions_and_write_only_its_own_logs(
    name: str,
) -> None:
    allowed = {
        action: json.dumps(statement["Resource"])
        for policy, statement in statements()
        if policy in (ROLES[name], ROLES[name].removesuffix("Role") + "OwnPolicy")
        for action in as_list(statement["Action"])
    }
    function = name.split("/")[1]
    for action in RUNS_DURABLY:
        assert allowed[action] == json.dumps({"Fn::Sub": f"${{{function}.Arn}}:*"})
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        assert allowed[action] == json.dumps({"Fn::GetAtt": ["Logs", "Arn"]})


def test_each_role_allows_exactly_what_its_code_calls() -> None:
    actions: dict[str, set[str]] = {}
    for name, statement in statements():
        actions.setdefault(name, set()).update(as_list(statement["Action"]))
    dms = {"dms:DescribeReplicationTasks", "dms:StartReplicationTask"}
    invokes = {"lambda:InvokeFunction"}
    finds = {"lambda:ListDurableExecutionsByFunction", "lambda:GetDurableExecution"}
    starts = invokes | finds
    objects = {"s3:GetObject", "s3:ListBucket"}
    reads, writes = {"dynamodb:GetItem"}, {"dynamodb:PutItem", "dynamodb:UpdateItem"}
    rows = {"dynamodb:GetItem", "dynamodb:UpdateItem"}
    readings = {"sqs:GetQueueAttributes", "dynamodb:UpdateItem"}
    # Failed deliveries by Lambda, EventBridge and Scheduler.
    dead_letters = {"sqs:SendMessage"}
    durable = {"logs:CreateLogStream", "logs:PutLogEvents"} | dead_letters
    own = RUNS_DURABLY | {"lambda:GetDurableExecution"}
    patterns = {
        "polling/PollingRole": dms | durable,
        "polling/PollingOwnPolicy": RUNS_DURABLY,
        "polling/PollingStartFunctionRole": starts,
        "event_callback/EventCallbackRole": dms | writes | reads | durable,
        "event_callback/EventCallbackOwnPolicy": own | ANSWERS,
        "event_callback/EventCallbackStartFunctionRole": starts,
        "event_callback/ResolverFunctionRole": rows | ANSWERS | dead_letters,
        "webhook_callback/WebhookCallbackRole": writes
        | reads
        | {"kms:GenerateMac", "secretsmanager:GetSecretValue"}
        | durable,
        "webhook_callback/WebhookCallbackOwnPolicy": own,
        "webhook_callback/WebhookCallbackStartFunctionRole": starts,
        "webhook_callback/WebhookEndpointFunctionRole": rows | {"secretsmanager:GetSecretValue"},
        "webhook_callback/WebhookEndpointAnswerPolicy": ANSWERS
        | {"lambda:SendDurableExecutionCallbackHeartbeat"},
        "webhook_callback/RotationFunctionRole": {
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecretVersionStage",
        }
        | dead_letters,
        "approval/ApprovalRole": writes
        | reads
        | {"kms:GenerateMac", "events:PutEvents", "ses:SendEmail"}
        | durable,
        "approval/ApprovalOwnPolicy": own,
        "approval/ApprovalStartFunctionRole": starts,
        "approval/ApprovalPageFunctionRole": rows,
        "approval/ApprovalPageAnswerPolicy": ANSWERS,
        "callbacks/OverdueFunctionRole": rows
        | ANSWERS
        | {"dynamodb:Scan", "lambda:GetDurableExecutionHistory"}
        | dead_letters,
        "callbacks/SchedulerRole": invokes | dead_letters,
        "batch_import/BatchImportRole": objects | writes | durable,
        "batch_import/BatchImportOwnPolicy": RUNS_DURABLY,
        "batch_import/BatchImportStartFunctionRole": starts | dead_letters,
        "fan_out/AddPostingFunctionRole": {"dynamodb:UpdateItem"} | starts,
        "fan_out/PostingBookkeepingRole": rows
        | {"dynamodb:Query", "ses:SendEmail"}
        | invokes
        | durable,
        "fan_out/PostingBookkeepingOwnPolicy": RUNS_DURABLY,
        "fan_out/PostingMailFunctionRole": reads | {"ses:SendEmail"},
        "schedule/ScheduleRole": readings | durable,
        "schedule/ScheduleOwnPolicy": RUNS_DURABLY | starts,
        "schedule/ScheduleStartFunctionRole": starts,
        "workflow/WorkflowRole": reads | writes | durable,
        "workflow/WorkflowOwnPolicy": RUNS_DURABLY,
        "workflow/WorkflowStartFunctionRole": starts,
        "versioned/VersionedRole": reads | {"dynamodb:PutItem"} | durable,
        "versioned/VersionedOwnPolicy": RUNS_DURABLY,
        "versioned/VersionedStartFunctionRole": starts,
    }
    ledger = reads | writes
    states = {"states:SendTaskFailure", "states:SendTaskSuccess"}
    rule = {"events:DescribeRule", "events:PutRule"}
    older = {
        "PollingStateMachineRole": dms,
        "PollingBeginFunctionRole": dms | {"dynamodb:PutItem"} | dead_letters,
        "PollingCheckFunctionRole": {"dms:DescribeReplicationTasks"}
        | {"dynamodb:Scan", "dynamodb:UpdateItem"}
        | dead_letters,
        "EventCallbackStateMachineRole": invokes,
        "EventCallbackStartFunctionRole": dms | {"dynamodb:PutItem"} | dead_letters,
        "EventCallbackResolverFunctionRole": reads | states | dead_letters,
        "BatchImportFunctionRole": objects | {"dynamodb:UpdateItem"} | dead_letters,
        "BatchImportSelfInvokePolicy": invokes,
        "PostingFunctionRole": reads | {"dynamodb:PutItem"} | invokes | dead_letters,
        "PostingControllerFunctionRole": rows | {"dynamodb:Query", "ses:SendEmail"} | dead_letters,
        "ScheduleFunctionRole": readings | rule | dead_letters,
        "StartFunctionRole": dms | dead_letters,
        "StartSelfInvokePolicy": invokes,
        "WorkflowFunctionRole": ledger | dead_letters,
        "WorkflowSelfInvokePolicy": invokes,
        "WorkflowSweepFunctionRole": {"dynamodb:Scan"} | invokes | dead_letters,
    }
    assert actions == patterns | {f"baselines/{name}": allowed for name, allowed in older.items()}


def invoked() -> set[tuple[str, str]]:
    """Return each role or policy that may invoke functions, with each of them."""
    return {
        (name, function_of(name, resource))
        for name, statement in statements()
        if statement["Action"] == "lambda:InvokeFunction"
        for resource in as_list(statement["Resource"])
    }


def test_a_function_that_invokes_another_may_invoke_only_that_one() -> None:
    assert {(name, function.split("/")[1]) for name, function in invoked()} == {
        ("polling/PollingStartFunctionRole", "PollingFunction"),
        ("event_callback/EventCallbackStartFunctionRole", "EventCallbackFunction"),
        ("webhook_callback/WebhookCallbackStartFunctionRole", "WebhookCallbackFunction"),
        ("approval/ApprovalStartFunctionRole", "ApprovalFunction"),
        ("callbacks/SchedulerRole", "OverdueFunction"),
        ("batch_import/BatchImportStartFunctionRole", "BatchImportFunction"),
        ("fan_out/AddPostingFunctionRole", "PostingBookkeepingFunction"),
        ("fan_out/PostingBookkeepingRole", "PostingMailFunction"),
        ("schedule/ScheduleOwnPolicy", "ScheduleFunction"),
        ("schedule/ScheduleStartFunctionRole", "ScheduleFunction"),
        ("workflow/WorkflowStartFunctionRole", "WorkflowFunction"),
        ("versioned/VersionedStartFunctionRole", "VersionedFunction"),
        ("baselines/EventCallbackStateMachineRole", "EventCallbackStartFunction"),
        ("baselines/BatchImportSelfInvokePolicy", "BatchImportFunction"),
        ("baselines/PostingFunctionRole", "PostingControllerFunction"),
        ("baselines/StartSelfInvokePolicy", "StartFunction"),
        ("baselines/WorkflowSelfInvokePolicy", "WorkflowFunction"),
        ("baselines/WorkflowSweepFunctionRole", "WorkflowFunction"),
    }


def test_only_starters_and_the_hand_over_may_start_executions() -> None:
    starters = {name for name, function in invoked() if function in DURABLE}
    assert len(starters) == len(DURABLE) + 1
    assert {name for name in starters if "StartFunctionRole" not in name} == {
        "fan_out/AddPostingFunctionRole",
        "schedule/ScheduleOwnPolicy",
    }


def test_each_role_can_answer_callbacks_of_only_one_function() -> None:
    answers = {
        (name, resource["Fn::Sub"])
        for name, statement in statements()
        if any("SendDurableExecutionCallback" in action for action in as_list(statement["Action"]))
        for resource in as_list(statement["Resource"])
    }
    assert answers == {
        ("event_callback/EventCallbackOwnPolicy", "${EventCallbackFunction.Arn}:*"),
        ("event_callback/ResolverFunctionRole", "${EventCallbackFunction.Arn}:*"),
        ("webhook_callback/WebhookEndpointAnswerPolicy", "${WebhookCallbackFunction.Arn}:*"),
        ("approval/ApprovalPageAnswerPolicy", "${ApprovalFunction.Arn}:*"),
        ("callbacks/OverdueFunctionRole", "${FunctionArn}:*"),
    }


def test_no_function_that_faces_the_internet_can_read_what_executions_recorded() -> None:
    readers = {
        name
        for name, statement in statements()
        if "lambda:GetDurableExecutionHistory" in as_list(statement["Action"])
    }
    assert readers == {"callbacks/OverdueFunctionRole"}


def test_each_separate_policy_belongs_to_one_role() -> None:
    roles = {n: p["Roles"] for n, p in of_type("AWS::IAM::Policy").items()}
    own = {n.removesuffix("Role") + "OwnPolicy": [{"Ref": n.split("/")[1]}] for n in ROLES.values()}
    assert roles == own | {
        "webhook_callback/WebhookEndpointAnswerPolicy": [{"Ref": "WebhookEndpointFunctionRole"}],
        "approval/ApprovalPageAnswerPolicy": [{"Ref": "ApprovalPageFunctionRole"}],
        "baselines/BatchImportSelfInvokePolicy": [{"Ref": "BatchImportFunctionRole"}],
        "baselines/StartSelfInvokePolicy": [{"Ref": "StartFunctionRole"}],
        "baselines/WorkflowSelfInvokePolicy": [{"Ref": "WorkflowFunctionRole"}],
    }


def test_only_the_approval_function_can_access_orders() -> None:
    orders = {"Fn::GetAtt": ["OrdersTable", "Arn"]}
    owners = {name for name, s in statements() if orders in as_list(s["Resource"])}
    assert owners == {"approval/ApprovalRole"}


def test_mail_comes_only_from_the_verified_address() -> None:
    identities = {name: s["Resource"] for name, s in statements() if s["Action"] == "ses:SendEmail"}
    assert len(identities) == 4
    for role, identity in identities.items():
        assert identity["Fn::Sub"].endswith(":identity/${MailSender}")
        (function,) = (
            function
            for name, function in functions().items()
            if near(name, function["Role"]["Fn::GetAtt"][0]) == role
        )
        assert function["Environment"]["Variables"]["MAIL_SENDER"] == {"Ref": "MailSender"}


def test_scheduler_may_assume_its_role_only_for_this_account_and_its_group_of_schedules() -> None:
    trusting = {
        name: statement
        for name, role in of_type("AWS::IAM::Role").items()
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
        if "scheduler.amazonaws.com" in json.dumps(statement["Principal"])
    }
    assert trusting.keys() == {"callbacks/SchedulerRole"}
    condition = trusting["callbacks/SchedulerRole"]["Condition"]
    assert condition["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    group = condition["ArnEquals"]["aws:SourceArn"]["Fn::Sub"]
    assert group.endswith(":${AWS::AccountId}:schedule-group/default")
    for schedule in of_type("AWS::Scheduler::Schedule").values():
        assert schedule["Target"]["RoleArn"] == {"Fn::GetAtt": ["SchedulerRole", "Arn"]}
        assert "GroupName" not in schedule


def test_secrets_manager_may_invoke_the_rotation_only_for_this_secret_and_account() -> None:
    permission = of_type("AWS::Lambda::Permission")["webhook_callback/RotationPermission"]
    assert permission == {
        "FunctionName": {"Ref": "RotationFunctionAliaslive"},
        "Action": "lambda:InvokeFunction",
        "Principal": "secretsmanager.amazonaws.com",
        "SourceAccount": {"Ref": "AWS::AccountId"},
        "SourceArn": {"Ref": "SigningSecret"},
    }


def test_every_invoke_permission_has_a_source_arn() -> None:
    permissions = of_type("AWS::Lambda::Permission")
    # Four routes, seven rules, a rotation.
    assert len(permissions) == 12
    for name, permission in permissions.items():
        assert permission["SourceArn"]
        assert function_of(name, permission["FunctionName"]) in functions()


@pytest.mark.parametrize("folder", NESTED)
def test_no_statement_names_what_is_not_in_its_template(folder: str) -> None:
    known = {name.split("/")[1] for name in resources() if name.startswith(f"{folder}/")}
    known |= written(folder)["Parameters"].keys()
    named = {
        reference
        for name, statement in statements()
        if name.startswith(f"{folder}/")
        for reference in references(statement["Resource"])
        if not reference.startswith("AWS::")
    }
    assert named
    assert named <= known
    assert folder in WAITING or "CallbacksTable" not in named or folder == "callbacks"
