"""The public APIs, one per pattern that needs one: throttled, and logged without secrets."""

from __future__ import annotations

import json
import re

import pytest
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from patterns.approval import handler as approval
from patterns.approval import page
from patterns.fan_out import start
from patterns.webhook_callback import endpoint
from patterns.webhook_callback import handler as webhook_callback
from tests.project.template import ALIAS, expanded, functions, near, of_type, written

LONGEST_REQUEST_SECONDS = 30
"""Maximum integration timeout of an HTTP API (API Gateway quotas)."""
APPS = {
    "webhook_callback/WebhookEndpointFunction": endpoint.app,
    "approval/ApprovalPageFunction": page.app,
    "fan_out/AddPostingFunction": start.app,
}


def test_urls_that_the_code_extends_have_no_trailing_slash() -> None:
    for name, variable in (
        ("webhook_callback/WebhookCallbackFunction", webhook_callback.URL_VARIABLE),
        ("approval/ApprovalFunction", approval.URL_VARIABLE),
    ):
        url = functions()[name]["Environment"]["Variables"][variable]
        # `https://ID.execute-api.REGION.amazonaws.com`; the stage $default adds nothing.
        assert url == {"Fn::GetAtt": ["HttpApi", "ApiEndpoint"]}
    for stage in of_type("AWS::ApiGatewayV2::Stage").values():
        assert stage["StageName"] == "$default"
    parameter = written("webhook_callback")["Parameters"]["PartnerUrl"]
    allowed = re.compile(parameter["AllowedPattern"])
    assert allowed.fullmatch("https://vendor.example/v1")
    assert not allowed.fullmatch("https://vendor.example/v1/")
    assert not allowed.fullmatch("http://vendor.example")


def routes() -> dict[tuple[str, str], str]:
    """Return the methods and paths of all APIs, each with the function that it invokes."""
    return {
        (method.upper(), path): near(
            name,
            re.findall(
                rf"\$\{{(\w+){ALIAS}}}/invocations",
                operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"],
            )[0],
        )
        for name, api in of_type("AWS::ApiGatewayV2::Api").items()
        for path, operations in api["Body"]["paths"].items()
        for method, operation in operations.items()
    }


def routes_in(app: APIGatewayHttpResolver) -> set[tuple[str, str]]:
    return {
        (route.method, route.path.replace("<", "{").replace(">", "}"))
        for route in (*app._dynamic_routes, *app._static_routes)
    }


def test_the_apis_have_exactly_the_routes_in_the_code() -> None:
    assert routes() == {
        ("POST", "/callbacks/{reference}"): "webhook_callback/WebhookEndpointFunction",
        ("GET", "/approvals/{reference}"): "approval/ApprovalPageFunction",
        ("POST", "/approvals/{reference}"): "approval/ApprovalPageFunction",
        ("POST", "/postings"): "fan_out/AddPostingFunction",
    }
    for name, app in APPS.items():
        assert routes_in(app) == {route for route, target in routes().items() if target == name}


def test_only_the_route_that_can_mail_any_address_requires_iam() -> None:
    security_of = {
        path: operation.get("security")
        for api in of_type("AWS::ApiGatewayV2::Api").values()
        for path, operations in api["Body"]["paths"].items()
        for operation in operations.values()
    }
    # A signature or a secret link authenticates callers of the others.
    assert {path for path, security in security_of.items() if security} == {"/postings"}
    assert security_of["/postings"] == [{"AWS_IAM": []}]


def test_the_function_url_of_the_posting_baseline_requires_iam() -> None:
    (url,) = of_type("AWS::Lambda::Url").values()
    assert url["AuthType"] == "AWS_IAM"


def test_public_routes_are_throttled_and_bounded() -> None:
    for stage in of_type("AWS::ApiGatewayV2::Stage").values():
        assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0
        assert stage["DefaultRouteSettings"]["ThrottlingBurstLimit"] > 0
    assert set(routes().values()) == set(APPS)
    for name in APPS:
        assert 0 < functions()[name]["ReservedConcurrentExecutions"] <= 10
        assert functions()[name]["Timeout"] < LONGEST_REQUEST_SECONDS


def test_no_pattern_shares_its_api_so_that_strangers_of_one_cant_starve_another() -> None:
    apis = of_type("AWS::ApiGatewayV2::Api")
    assert len(apis) == len(APPS) == len(of_type("AWS::ApiGatewayV2::Stage"))
    assert {near(name, "HttpApi") for name in APPS} == set(apis)


@pytest.mark.parametrize("folder", sorted(name.split("/")[0] for name in APPS))
def test_an_access_log_never_has_a_path_because_paths_contain_references(folder: str) -> None:
    stage = of_type("AWS::ApiGatewayV2::Stage")[f"{folder}/HttpApiApiGatewayDefaultStage"]
    settings = stage["AccessLogSettings"]
    assert json.loads(settings["Format"]) == {
        "routeKey": "$context.routeKey",
        "status": "$context.status",
        "requestId": "$context.requestId",
        "latency": "$context.responseLatency",
        "ip": "$context.identity.sourceIp",
    }
    assert not re.search("path|query", settings["Format"], re.IGNORECASE)
    assert settings["DestinationArn"] == {"Fn::GetAtt": ["HttpApiLogs", "Arn"]}
    logs = expanded(folder)["Resources"]["HttpApiLogs"]["Properties"]
    assert logs["RetentionInDays"] == {"Ref": "LogRetentionDays"}
