"""The roles: each may do what its code calls, on what it calls it on, and nothing else."""

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
    # With DurableConfig, SAM attaches the first; with Tracing: Active, the second.
    "AWSLambdaBasicDurableExecutionRolePolicy",
    "AWSXrayWriteOnlyAccess",
    "AWSLambdaBasicExecutionRole",
}


def test_every_function_has_a_role_of_its_own() -> None:
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
    # DescribeReplicationTasks knows no resources (service authorization reference).
    assert wide == {"dms:DescribeReplicationTasks"}


def test_no_policy_says_what_it_allows_by_saying_what_it_does_not() -> None:
    for name, statement in statements():
        assert statement["Effect"] == "Allow", name
        assert not {"NotAction", "NotResource"} & statement.keys(), name


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
        actions.setdefault(name, set()).update(as_list(statement["Action"]))
    dms = {"dms:DescribeReplicationTasks", "dms:StartReplicationTask"}
    starts = {
        "lambda:InvokeFunction",
        "lambda:ListDurableExecutionsByFunction",
        "lambda:GetDurableExecution",
    }
    objects = {"s3:GetObject", "s3:ListBucket"}
    books = {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}
    reads = {"sqs:GetQueueAttributes", "dynamodb:UpdateItem"}
    itself = {"lambda:InvokeFunction"}
    puts, finds = {"dynamodb:PutItem", "dynamodb:UpdateItem"}, {"dynamodb:GetItem"}
    # Of what Lambda, EventBridge and Scheduler could not deliver.
    keeps = {"sqs:SendMessage"}
    assert actions == {
        "PollingFunctionRole": dms | keeps,
        "EventCallbackFunctionRole": dms | puts | finds | keeps,
        "EventCallbackAnswers": {"lambda:SendDurableExecutionCallbackSuccess"},
        "ResolverFunctionRole": {
            "dynamodb:GetItem",
            "dynamodb:UpdateItem",
            "lambda:SendDurableExecutionCallbackSuccess",
            "sqs:SendMessage",
        },
        "WebhookCallbackFunctionRole": puts
        | {"kms:GenerateMac", "secretsmanager:GetSecretValue"}
        | keeps,
        "WebhookEndpointFunctionRole": {
            "dynamodb:GetItem",
            "dynamodb:UpdateItem",
            "secretsmanager:GetSecretValue",
        },
        "WebhookEndpointAnswers": {
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
        | keeps,
        "ApprovalFunctionRole": puts
        | {"kms:GenerateMac", "events:PutEvents", "ses:SendEmail"}
        | keeps,
        "ApprovalPageFunctionRole": {"dynamodb:GetItem", "dynamodb:UpdateItem"},
        "ApprovalPageAnswers": {"lambda:SendDurableExecutionCallbackSuccess"},
        "OverdueFunctionRole": {"dynamodb:Scan"} | keeps,
        "OverdueFunctionEveryQuarterOfAnHourRole": {"lambda:InvokeFunction"} | keeps,
        "StarterFunctionRole": starts,
        "BatchImportFunctionRole": objects | puts | keeps,
        "BatchImportBeginFunctionRole": starts | keeps,
        "AddLeedFunctionRole": {"dynamodb:UpdateItem"} | starts,
        "LeedBookkeepingFunctionRole": {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"}
        | {"ses:SendEmail", "lambda:InvokeFunction"}
        | keeps,
        "LeedMailFunctionRole": {"dynamodb:GetItem", "ses:SendEmail"},
        "ScheduleFunctionRole": reads | keeps,
        "ScheduleHandsOver": starts,
        "ScheduleBeginFunctionRole": starts,
        "WorkflowFunctionRole": books | keeps,
        "WorkflowBeginFunctionRole": starts,
        # By hand.
        "PollingMachineRole": dms,
        "PollingBeginFunctionRole": dms | {"dynamodb:PutItem"} | keeps,
        "PollingLookFunctionRole": {"dms:DescribeReplicationTasks"}
        | {"dynamodb:Scan", "dynamodb:UpdateItem"}
        | keeps,
        "PollingLookFunctionEveryQuarterOfAnHourRole": {"lambda:InvokeFunction"} | keeps,
        "TokenMachineRole": {"lambda:InvokeFunction"},
        "TokenStartFunctionRole": dms | {"dynamodb:PutItem"},
        "TokenResolveFunctionRole": {"dynamodb:GetItem"}
        | {"states:SendTaskFailure", "states:SendTaskSuccess"}
        | keeps,
        "BatchImportBeforeFunctionRole": objects | {"dynamodb:UpdateItem"} | keeps,
        "BatchImportBeforeGoesOn": itself,
        "LeedBeforeFunctionRole": {"dynamodb:GetItem", "dynamodb:PutItem"}
        | {"lambda:InvokeFunction"},
        "LeedControllerFunctionRole": {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"}
        | {"ses:SendEmail"}
        | keeps,
        "ScheduleBeforeFunctionRole": reads | {"events:DescribeRule", "events:PutRule"} | keeps,
        "StartBeforeFunctionRole": dms | keeps,
        "StartBeforeGoesOn": itself,
        "WorkflowBeforeFunctionRole": books | keeps,
        "WorkflowBeforeGoesOn": itself,
        "WorkflowSweepFunctionRole": {"dynamodb:Scan", "lambda:InvokeFunction"} | keeps,
        "WorkflowSweepFunctionEveryHourRole": {"lambda:InvokeFunction"} | keeps,
    }


def test_a_function_that_invokes_another_may_invoke_that_one_alone() -> None:
    invoked = {
        (name, resource["Ref"].removesuffix(ALIAS))
        for name, statement in statements()
        if statement["Action"] == "lambda:InvokeFunction" and "Sid" in statement
        for resource in as_list(statement["Resource"])
    }
    assert invoked == {
        ("StarterFunctionRole", "EventCallbackFunction"),
        ("BatchImportBeginFunctionRole", "BatchImportFunction"),
        ("AddLeedFunctionRole", "LeedBookkeepingFunction"),
        ("LeedBookkeepingFunctionRole", "LeedMailFunction"),
        ("ScheduleHandsOver", "ScheduleFunction"),
        ("ScheduleBeginFunctionRole", "ScheduleFunction"),
        ("WorkflowBeginFunctionRole", "WorkflowFunction"),
        # By hand.
        ("TokenMachineRole", "TokenStartFunction"),
        ("BatchImportBeforeGoesOn", "BatchImportBeforeFunction"),
        ("LeedBeforeFunctionRole", "LeedControllerFunction"),
        ("StartBeforeGoesOn", "StartBeforeFunction"),
        ("WorkflowBeforeGoesOn", "WorkflowBeforeFunction"),
        ("WorkflowSweepFunctionRole", "WorkflowBeforeFunction"),
    }


def test_who_answers_can_answer_the_callbacks_of_one_function_only() -> None:
    answers = {
        (name, function)
        for name, statement in statements()
        if any("SendDurableExecutionCallback" in action for action in as_list(statement["Action"]))
        for resource in as_list(statement["Resource"])
        for function in [resource["Fn::Sub"]]
    }
    assert answers == {
        ("EventCallbackAnswers", "${EventCallbackFunction.Arn}:*"),
        ("ResolverFunctionRole", "${EventCallbackFunction.Arn}:*"),
        ("WebhookEndpointAnswers", "${WebhookCallbackFunction.Arn}:*"),
        ("ApprovalPageAnswers", "${ApprovalFunction.Arn}:*"),
    }


def test_each_policy_of_its_own_belongs_to_one_role() -> None:
    roles = {name: policy["Roles"] for name, policy in of_type("AWS::IAM::Policy").items()}
    assert roles == {
        "EventCallbackAnswers": [{"Ref": "EventCallbackFunctionRole"}],
        "WebhookEndpointAnswers": [{"Ref": "WebhookEndpointFunctionRole"}],
        "ApprovalPageAnswers": [{"Ref": "ApprovalPageFunctionRole"}],
        "ScheduleHandsOver": [{"Ref": "ScheduleFunctionRole"}],
        "BatchImportBeforeGoesOn": [{"Ref": "BatchImportBeforeFunctionRole"}],
        "StartBeforeGoesOn": [{"Ref": "StartBeforeFunctionRole"}],
        "WorkflowBeforeGoesOn": [{"Ref": "WorkflowBeforeFunctionRole"}],
    }


def test_orders_belong_to_the_approval_function_alone() -> None:
    orders = {"Fn::GetAtt": ["OrdersTable", "Arn"]}
    owners = {name for name, s in statements() if orders in as_list(s["Resource"])}
    assert owners == {"ApprovalFunctionRole"}


def test_mail_is_sent_from_the_one_verified_address_only() -> None:
    identities = {name: s["Resource"] for name, s in statements() if s["Action"] == "ses:SendEmail"}
    assert len(identities) == 4
    for role, identity in identities.items():
        assert identity["Fn::Sub"].endswith(":identity/${MailSender}")
        variables = functions()[role.removesuffix("Role")]["Environment"]["Variables"]
        assert variables["MAIL_SENDER"] == {"Ref": "MailSender"}


def test_nobody_may_start_an_execution_but_those_who_start_it_by_name() -> None:
    starters = {
        name
        for name, statement in statements()
        if "lambda:InvokeFunction" in as_list(statement["Action"])
        and any(ref.removesuffix(ALIAS) in DURABLE for ref in references(statement["Resource"]))
    }
    assert starters == {
        "StarterFunctionRole",
        "BatchImportBeginFunctionRole",
        "AddLeedFunctionRole",
        "ScheduleBeginFunctionRole",
        "ScheduleHandsOver",
        "WorkflowBeginFunctionRole",
    }


def test_secrets_manager_may_call_the_rotation_for_this_secret_and_account_only() -> None:
    permission = of_type("AWS::Lambda::Permission")["RotationFromSecretsManager"]
    assert permission == {
        "FunctionName": {"Ref": f"RotationFunction{ALIAS}"},
        "Action": "lambda:InvokeFunction",
        "Principal": "secretsmanager.amazonaws.com",
        "SourceAccount": {"Ref": "AWS::AccountId"},
        "SourceArn": {"Ref": "SigningSecret"},
    }


def test_every_permission_to_call_a_function_says_from_where() -> None:
    permissions = of_type("AWS::Lambda::Permission")
    # Four routes, five rules, a rotation.
    assert len(permissions) == 10
    for permission in permissions.values():
        assert permission["SourceArn"]
        assert permission["FunctionName"]["Ref"].endswith(ALIAS)
