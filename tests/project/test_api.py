"""What the world can call: four routes, throttled, logged without what must not be known."""

from __future__ import annotations

import json
import re

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from patterns.approval import handler as approval
from patterns.approval import page
from patterns.fan_out import add_leed
from patterns.webhook_callback import endpoint
from patterns.webhook_callback import handler as webhook_callback
from tests.project.template import ALIAS, functions, of_type
from tools import sam

LONGEST_REQUEST_SECONDS = 30
"""After that an HTTP API gives up (API Gateway quotas)."""


def test_a_url_that_the_code_appends_to_has_no_slash_at_the_end() -> None:
    for name, variable in (
        ("WebhookCallbackFunction", webhook_callback.URL_VARIABLE),
        ("ApprovalFunction", approval.URL_VARIABLE),
    ):
        url = functions()[name]["Environment"]["Variables"][variable]
        # `https://ID.execute-api.REGION.amazonaws.com`; the stage $default adds nothing.
        assert url == {"Fn::GetAtt": ["HttpApi", "ApiEndpoint"]}
    (stage,) = of_type("AWS::ApiGatewayV2::Stage").values()
    assert stage["StageName"] == "$default"
    allowed = re.compile(sam.read()["Parameters"]["PartnerUrl"]["AllowedPattern"])
    assert allowed.fullmatch("https://agency.example/v1")
    assert not allowed.fullmatch("https://agency.example/v1/")
    assert not allowed.fullmatch("http://agency.example")


def routes() -> dict[tuple[str, str], str]:
    """The API's methods and paths, each with the function that it calls."""
    (api,) = of_type("AWS::ApiGatewayV2::Api").values()
    return {
        (method.upper(), path): re.findall(
            rf"\$\{{(\w+){ALIAS}}}/invocations",
            operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"],
        )[0]
        for path, operations in api["Body"]["paths"].items()
        for method, operation in operations.items()
    }


def routes_in(app: APIGatewayHttpResolver) -> set[tuple[str, str]]:
    return {
        (route.method, route.path.replace("<", "{").replace(">", "}"))
        for route in (*app._dynamic_routes, *app._static_routes)
    }


def test_the_api_has_the_routes_that_the_code_knows_and_no_others() -> None:
    assert routes() == {
        ("POST", "/callbacks/{reference}"): "WebhookEndpointFunction",
        ("GET", "/approvals/{reference}"): "ApprovalPageFunction",
        ("POST", "/approvals/{reference}"): "ApprovalPageFunction",
        ("POST", "/leeds"): "AddLeedFunction",
    }
    apps = {
        "WebhookEndpointFunction": endpoint.app,
        "ApprovalPageFunction": page.app,
        "AddLeedFunction": add_leed.app,
    }
    for name, app in apps.items():
        assert routes_in(app) == {route for route, called in routes().items() if called == name}


def test_only_the_route_that_can_send_mail_to_anybody_asks_who_is_there() -> None:
    (api,) = of_type("AWS::ApiGatewayV2::Api").values()
    asks = {
        path: operation.get("security")
        for path, operations in api["Body"]["paths"].items()
        for operation in operations.values()
    }
    # The others know their callers by a signature, or by the link that they were given.
    assert {path for path, security in asks.items() if security} == {"/leeds"}
    assert asks["/leeds"] == [{"AWS_IAM": []}]


def test_the_url_of_the_hand_made_leeds_asks_who_is_there() -> None:
    (url,) = of_type("AWS::Lambda::Url").values()
    assert url["AuthType"] == "AWS_IAM"


def test_what_anybody_can_call_is_throttled_and_bounded() -> None:
    (stage,) = of_type("AWS::ApiGatewayV2::Stage").values()
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0
    assert stage["DefaultRouteSettings"]["ThrottlingBurstLimit"] > 0
    for name in set(routes().values()):
        assert 0 < functions()[name]["ReservedConcurrentExecutions"] <= 10
        assert functions()[name]["Timeout"] < LONGEST_REQUEST_SECONDS


def test_the_access_log_never_holds_a_path_because_a_path_holds_a_reference() -> None:
    (stage,) = of_type("AWS::ApiGatewayV2::Stage").values()
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
    assert of_type("AWS::Logs::LogGroup")["HttpApiLogs"]["RetentionInDays"]
