"""Least privilege: each role allows exactly the calls that its code makes."""

from __future__ import annotations

from tests.project.template import (
    ALIAS,
    DURABLE,
    as_list,
    functions,
    of_type,
    references,
    statements,
)

SAM_ATTACHES = {
    # SAM attaches the first for DurableConfig, the second for Tracing: Active.
    "AWSLambdaBasicDurableExecutionRolePolicy",
    "AWSXrayWriteOnlyAccess",
    "AWSLambdaBasicExecutionRole",
}


def test_every_function_has_its_own_role() -> None:
    roles = [function["Role"]["Fn::GetAtt"][0] for function in functions().values()]
    assert len(set(roles)) == len(roles)


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


def test_sam_attaches_the_only_managed_policies() -> None:
    attached = {
        str(arn).rsplit("/", 1)[-1].rstrip("'}]")
        for role in of_type("AWS::IAM::Role").values()
        for arn in role.get("ManagedPolicyArns", [])
    }
    assert attached <= SAM_ATTACHES
    assert "AWSLambdaBasicDurableExecutionRolePolicy" in attached


def test_each_role_allows_exactly_what_its_code_calls() -> None:
    actions: dict[str, set[str]] = {}
    for name, statement in statements():
        actions.setdefault(name, set()).update(as_list(statement["Action"]))
    dms = {"dms:DescribeReplicationTasks", "dms:StartReplicationTask"}
    starts = {
        "lambda:InvokeFunction",
        "lambda:ListDurableExecutionsByFunction",
        "lambda:GetDurableExecution",
    }
    objects = {"s3:GetObject", "s3:ListBucket"}
    ledger = {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}
    readings = {"sqs:GetQueueAttributes", "dynamodb:UpdateItem"}
    invokes = {"lambda:InvokeFunction"}
    writes, reads = {"dynamodb:PutItem", "dynamodb:UpdateItem"}, {"dynamodb:GetItem"}
    # Failed deliveries by Lambda, EventBridge and Scheduler.
    dead_letters = {"sqs:SendMessage"}
    assert actions == {
        "PollingFunctionRole": dms | dead_letters,
        "EventCallbackFunctionRole": dms | writes | reads | dead_letters,
        "EventCallbackAnswerPolicy": {"lambda:SendDurableExecutionCallbackSuccess"},
        "ResolverFunctionRole": {
            "dynamodb:GetItem",
            "dynamodb:UpdateItem",
            "lambda:SendDurableExecutionCallbackSuccess",
            "sqs:SendMessage",
        },
        "WebhookCallbackFunctionRole": writes
        | {"kms:GenerateMac", "secretsmanager:GetSecretValue"}
        | dead_letters,
        "WebhookEndpointFunctionRole": {
            "dynamodb:GetItem",
            "dynamodb:UpdateItem",
            "secretsmanager:GetSecretValue",
        },
        "WebhookEndpointAnswerPolicy": {
            "lambda:SendDurableExecutionCallbackSuccess",
            "lambda:SendDurableExecutionCallbackFailure",
            "lambda:SendDurableExecutionCallbackHeartbeat",
        },
        "RotationFunctionRole": {
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecretVersionStage",
        }
        | dead_letters,
        "ApprovalFunctionRole": writes
        | {"kms:GenerateMac", "events:PutEvents", "ses:SendEmail"}
        | dead_letters,
        "ApprovalPageFunctionRole": {"dynamodb:GetItem", "dynamodb:UpdateItem"},
        "ApprovalPageAnswerPolicy": {"lambda:SendDurableExecutionCallbackSuccess"},
        "OverdueFunctionRole": {"dynamodb:Scan"} | dead_letters,
        "OverdueFunctionEvery15MinutesRole": {"lambda:InvokeFunction"} | dead_letters,
        "StartMigrationFunctionRole": starts,
        "BatchImportFunctionRole": objects | writes | dead_letters,
        "BatchImportStartFunctionRole": starts | dead_letters,
        "AddPostingFunctionRole": {"dynamodb:UpdateItem"} | starts,
        "PostingBookkeepingFunctionRole": {
            "dynamodb:GetItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        }
        | {"ses:SendEmail", "lambda:InvokeFunction"}
        | dead_letters,
        "PostingMailFunctionRole": {"dynamodb:GetItem", "ses:SendEmail"},
        "ScheduleFunctionRole": readings | dead_letters,
        "ScheduleHandOverPolicy": starts,
        "ScheduleStartFunctionRole": starts,
        "WorkflowFunctionRole": ledger | dead_letters,
        "WorkflowStartFunctionRole": starts,
        # Baselines.
        "PollingBaselineStateMachineRole": dms,
        "PollingBaselineStartFunctionRole": dms | {"dynamodb:PutItem"} | dead_letters,
        "PollingBaselineCheckFunctionRole": {"dms:DescribeReplicationTasks"}
        | {"dynamodb:Scan", "dynamodb:UpdateItem"}
        | dead_letters,
        "PollingBaselineCheckFunctionEvery15MinutesRole": {"lambda:InvokeFunction"} | dead_letters,
        "EventCallbackBaselineStateMachineRole": {"lambda:InvokeFunction"},
        "EventCallbackBaselineStartFunctionRole": dms | {"dynamodb:PutItem"},
        "EventCallbackBaselineResolverFunctionRole": {"dynamodb:GetItem"}
        | {"states:SendTaskFailure", "states:SendTaskSuccess"}
        | dead_letters,
        "BatchImportBaselineFunctionRole": objects | {"dynamodb:UpdateItem"} | dead_letters,
        "BatchImportBaselineSelfInvokePolicy": invokes,
        "PostingBaselineFunctionRole": {"dynamodb:GetItem", "dynamodb:PutItem"}
        | {"lambda:InvokeFunction"},
        "PostingBaselineControllerFunctionRole": {
            "dynamodb:GetItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        }
        | {"ses:SendEmail"}
        | dead_letters,
        "ScheduleBaselineFunctionRole": readings
        | {"events:DescribeRule", "events:PutRule"}
        | dead_letters,
        "StartBaselineFunctionRole": dms | dead_letters,
        "StartBaselineSelfInvokePolicy": invokes,
        "WorkflowBaselineFunctionRole": ledger | dead_letters,
        "WorkflowBaselineSelfInvokePolicy": invokes,
        "WorkflowBaselineSweepFunctionRole": {"dynamodb:Scan", "lambda:InvokeFunction"}
        | dead_letters,
        "WorkflowBaselineSweepFunctionEveryHourRole": {"lambda:InvokeFunction"} | dead_letters,
    }


def test_a_function_that_invokes_another_may_invoke_only_that_one() -> None:
    invoked = {
        (name, resource["Ref"].removesuffix(ALIAS))
        for name, statement in statements()
        if statement["Action"] == "lambda:InvokeFunction" and "Sid" in statement
        for resource in as_list(statement["Resource"])
    }
    assert invoked == {
        ("StartMigrationFunctionRole", "EventCallbackFunction"),
        ("BatchImportStartFunctionRole", "BatchImportFunction"),
        ("AddPostingFunctionRole", "PostingBookkeepingFunction"),
        ("PostingBookkeepingFunctionRole", "PostingMailFunction"),
        ("ScheduleHandOverPolicy", "ScheduleFunction"),
        ("ScheduleStartFunctionRole", "ScheduleFunction"),
        ("WorkflowStartFunctionRole", "WorkflowFunction"),
        # Baselines.
        ("EventCallbackBaselineStateMachineRole", "EventCallbackBaselineStartFunction"),
        ("BatchImportBaselineSelfInvokePolicy", "BatchImportBaselineFunction"),
        ("PostingBaselineFunctionRole", "PostingBaselineControllerFunction"),
        ("StartBaselineSelfInvokePolicy", "StartBaselineFunction"),
        ("WorkflowBaselineSelfInvokePolicy", "WorkflowBaselineFunction"),
        ("WorkflowBaselineSweepFunctionRole", "WorkflowBaselineFunction"),
    }


def test_each_role_can_answer_callbacks_of_only_one_function() -> None:
    answers = {
        (name, function)
        for name, statement in statements()
        if any("SendDurableExecutionCallback" in action for action in as_list(statement["Action"]))
        for resource in as_list(statement["Resource"])
        for function in [resource["Fn::Sub"]]
    }
    assert answers == {
        ("EventCallbackAnswerPolicy", "${EventCallbackFunction.Arn}:*"),
        ("ResolverFunctionRole", "${EventCallbackFunction.Arn}:*"),
        ("WebhookEndpointAnswerPolicy", "${WebhookCallbackFunction.Arn}:*"),
        ("ApprovalPageAnswerPolicy", "${ApprovalFunction.Arn}:*"),
    }


def test_each_separate_policy_belongs_to_one_role() -> None:
    roles = {name: policy["Roles"] for name, policy in of_type("AWS::IAM::Policy").items()}
    assert roles == {
        "EventCallbackAnswerPolicy": [{"Ref": "EventCallbackFunctionRole"}],
        "WebhookEndpointAnswerPolicy": [{"Ref": "WebhookEndpointFunctionRole"}],
        "ApprovalPageAnswerPolicy": [{"Ref": "ApprovalPageFunctionRole"}],
        "ScheduleHandOverPolicy": [{"Ref": "ScheduleFunctionRole"}],
        "BatchImportBaselineSelfInvokePolicy": [{"Ref": "BatchImportBaselineFunctionRole"}],
        "StartBaselineSelfInvokePolicy": [{"Ref": "StartBaselineFunctionRole"}],
        "WorkflowBaselineSelfInvokePolicy": [{"Ref": "WorkflowBaselineFunctionRole"}],
    }


def test_only_the_approval_function_can_access_orders() -> None:
    orders = {"Fn::GetAtt": ["OrdersTable", "Arn"]}
    owners = {name for name, s in statements() if orders in as_list(s["Resource"])}
    assert owners == {"ApprovalFunctionRole"}


def test_mail_comes_only_from_the_verified_address() -> None:
    identities = {name: s["Resource"] for name, s in statements() if s["Action"] == "ses:SendEmail"}
    assert len(identities) == 4
    for role, identity in identities.items():
        assert identity["Fn::Sub"].endswith(":identity/${MailSender}")
        variables = functions()[role.removesuffix("Role")]["Environment"]["Variables"]
        assert variables["MAIL_SENDER"] == {"Ref": "MailSender"}


def test_only_functions_that_start_executions_by_name_may_start_them() -> None:
    starters = {
        name
        for name, statement in statements()
        if "lambda:InvokeFunction" in as_list(statement["Action"])
        and any(ref.removesuffix(ALIAS) in DURABLE for ref in references(statement["Resource"]))
    }
    assert starters == {
        "StartMigrationFunctionRole",
        "BatchImportStartFunctionRole",
        "AddPostingFunctionRole",
        "ScheduleStartFunctionRole",
        "ScheduleHandOverPolicy",
        "WorkflowStartFunctionRole",
    }


def test_secrets_manager_may_invoke_the_rotation_only_for_this_secret_and_account() -> None:
    permission = of_type("AWS::Lambda::Permission")["RotationPermission"]
    assert permission == {
        "FunctionName": {"Ref": f"RotationFunction{ALIAS}"},
        "Action": "lambda:InvokeFunction",
        "Principal": "secretsmanager.amazonaws.com",
        "SourceAccount": {"Ref": "AWS::AccountId"},
        "SourceArn": {"Ref": "SigningSecret"},
    }


def test_every_invoke_permission_has_a_source_arn() -> None:
    permissions = of_type("AWS::Lambda::Permission")
    # Four routes, five rules, a rotation.
    assert len(permissions) == 10
    for permission in permissions.values():
        assert permission["SourceArn"]
        assert permission["FunctionName"]["Ref"].endswith(ALIAS)
