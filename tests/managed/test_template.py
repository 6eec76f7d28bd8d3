"""The template for managed instances: what it changes, what it keeps, and why it has to exist."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from samtranslator.model.exceptions import InvalidDocumentException

from tools import managed_template, sam
from tools.managed_template import PARAMETER

PROVIDER = "arn:aws:lambda:us-east-1:123456789012:capacity-provider:orders"


def expanded(template: dict[str, Any]) -> dict[str, Any]:
    with (
        patch.object(sam, "read", lambda path: template),
        patch.dict(sam.EXAMPLES, {PARAMETER: PROVIDER}),
    ):
        return dict(sam.expand(Path())["Resources"])


@cache
def resources() -> dict[str, Any]:
    template = sam.read()
    durable = managed_template.durable_functions(template)
    return expanded(managed_template.managed(template, durable))


def functions() -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in resources().items()
        if resource["Type"] == "AWS::Lambda::Function"
    }


def test_only_the_durable_functions_run_on_the_capacity_provider() -> None:
    durable = {name for name, function in functions().items() if "DurableConfig" in function}
    assert durable
    assert {n for n, f in functions().items() if "CapacityProviderConfig" in f} == durable


def test_they_use_the_provider_of_the_parameter_and_the_minimum_memory() -> None:
    for function in functions().values():
        if config := function.get("CapacityProviderConfig"):
            provider = config["LambdaManagedInstancesCapacityProviderConfig"]
            assert provider["CapacityProviderArn"] == {"Ref": PARAMETER}
            assert function["MemorySize"] == 2048
            assert "ReservedConcurrentExecutions" not in function


def test_versions_that_waiting_executions_need_are_retained() -> None:
    versions = [r for r in resources().values() if r["Type"] == "AWS::Lambda::Version"]
    assert versions
    assert {version["DeletionPolicy"] for version in versions} == {"Retain"}


def test_everything_else_is_unchanged() -> None:
    changed = {"CapacityProviderConfig", "MemorySize", "VersionDeletionPolicy"}
    template = sam.read()
    managed = managed_template.managed(template, managed_template.durable_functions(template))
    for name, resource in template["Resources"].items():
        properties = managed["Resources"][name].get("Properties", {})
        unchanged = {key: value for key, value in properties.items() if key not in changed}
        original = resource.get("Properties", {})
        assert unchanged == {k: value for k, value in original.items() if k not in changed}, name


# -- why it has to exist: if one of these fails, a condition in the template may be enough --------


def with_provider(provider: dict[str, Any]) -> dict[str, Any]:
    """Build a template with one function."""
    function = {
        "Handler": "orders.handler",
        "Runtime": "python3.13",
        "AutoPublishAlias": "live",
        "CapacityProviderConfig": provider,
    }
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Conditions": {"IsManaged": {"Fn::Equals": [1, 1]}},
        "Globals": {"Function": {}},
        "Resources": {"Orders": {"Type": "AWS::Serverless::Function", "Properties": function}},
    }


def test_sam_rejects_a_condition_around_the_capacity_provider() -> None:
    provider = {"Fn::If": ["IsManaged", {"Arn": PROVIDER}, {"Ref": "AWS::NoValue"}]}
    with pytest.raises(InvalidDocumentException):
        expanded(with_provider(provider))


def test_sam_deletes_the_versions_of_a_managed_function_by_default() -> None:
    expansion = expanded(with_provider({"Arn": PROVIDER}))
    (version,) = (r for r in expansion.values() if r["Type"] == "AWS::Lambda::Version")
    assert version["DeletionPolicy"] == "Delete"
