"""The templates for managed instances: what they change and keep, and why they have to exist."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from cfnlint import api
from cfnlint.config import ManualArgs
from samtranslator.model.exceptions import InvalidDocumentException

from tests.project import template
from tests.project.template import DURABLE, TOP, UNPINNED
from tools import managed_template, sam
from tools.managed_template import FOLDER, PARAMETER

PROVIDER = "arn:aws:lambda:us-east-1:123456789012:capacity-provider:orders"
PATTERNS = [name for name in template.PATTERNS if name != UNPINNED.split("/")[0]]
PATHS = {TOP: sam.TOP, **managed_template.patterns()}


@cache
def managed(folder: str) -> dict[str, Any]:
    return managed_template.managed(PATHS[folder])


def expand(template: dict[str, Any]) -> dict[str, Any]:
    with (
        patch.object(sam, "read", lambda path: template),
        patch.dict(sam.EXAMPLES, {PARAMETER: PROVIDER}),
    ):
        return dict(sam.expand(Path())["Resources"])


@cache
def resources(folder: str) -> dict[str, Any]:
    return expand(managed_template.managed(PATHS[folder]))


def functions(folder: str) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in resources(folder).items()
        if resource["Type"] == "AWS::Lambda::Function"
    }


def test_every_pattern_has_a_managed_template_unless_it_runs_as_latest() -> None:
    """A managed function runs published versions only, and `versioned` publishes none."""
    assert sorted(managed_template.patterns()) == PATTERNS
    assert len(PATTERNS) == len(template.PATTERNS) - 1


@pytest.mark.parametrize("folder", PATTERNS)
def test_only_the_durable_functions_run_on_the_capacity_provider(folder: str) -> None:
    durable = {name.split("/")[1] for name in DURABLE if name.startswith(f"{folder}/")}
    assert durable
    moved = {n for n, f in functions(folder).items() if "CapacityProviderConfig" in f}
    assert moved == durable


@pytest.mark.parametrize("folder", PATTERNS)
def test_they_use_the_provider_of_the_parameter_and_the_minimum_memory(folder: str) -> None:
    for function in functions(folder).values():
        if config := function.get("CapacityProviderConfig"):
            provider = config["LambdaManagedInstancesCapacityProviderConfig"]
            assert provider["CapacityProviderArn"] == {"Ref": PARAMETER}
            assert function["MemorySize"] == 2048
            assert "ReservedConcurrentExecutions" not in function


@pytest.mark.parametrize("folder", PATTERNS)
def test_versions_that_waiting_executions_need_are_retained(folder: str) -> None:
    versions = [r for r in resources(folder).values() if r["Type"] == "AWS::Lambda::Version"]
    assert versions
    assert {version["DeletionPolicy"] for version in versions} == {"Retain"}


@pytest.mark.parametrize("folder", PATTERNS)
def test_everything_else_is_unchanged(folder: str) -> None:
    changed = {"CapacityProviderConfig", "MemorySize", "VersionDeletionPolicy", "Location"}
    for name, resource in sam.read(PATHS[folder])["Resources"].items():
        properties = managed(folder)["Resources"][name].get("Properties", {})
        unchanged = {key: value for key, value in properties.items() if key not in changed}
        original = resource.get("Properties", {})
        assert unchanged == {k: value for k, value in original.items() if k not in changed}, name


def test_the_template_at_the_top_nests_the_managed_ones_and_passes_the_provider_on() -> None:
    nested = {
        properties["Location"]: properties["Parameters"]
        for resource in managed(TOP)["Resources"].values()
        if "Location" in (properties := resource.get("Properties", {}))
    }
    for unmanaged in ("baselines", "patterns/versioned"):
        assert PARAMETER not in nested.pop(f"../src/{unmanaged}/template.yaml")
    assert nested.keys() == {f"{folder}.yaml" for folder in PATTERNS}
    assert all(parameters[PARAMETER] == {"Ref": PARAMETER} for parameters in nested.values())


@pytest.mark.parametrize("folder", PATTERNS)
def test_paths_lead_from_the_folder_of_the_managed_templates_to_the_code(folder: str) -> None:
    template = managed(folder)
    assert (FOLDER / template["Globals"]["Function"]["CodeUri"]).resolve() == sam.ROOT / "src"
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Application":
            location = (FOLDER / resource["Properties"]["Location"]).resolve()
            assert location == sam.TEMPLATES["callbacks"]


@pytest.mark.prove
@pytest.mark.parametrize("folder", PATTERNS)
def test_every_managed_template_passes_the_lint(folder: str) -> None:
    text = sam.as_yaml(managed(folder))
    assert api.lint(text, config=ManualArgs(regions=[sam.REGION])) == []


# -- why they have to exist: if one of these fails, a condition in the templates may be enough -----


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
        expand(with_provider(provider))


def test_sam_deletes_the_versions_of_a_managed_function_by_default() -> None:
    expansion = expand(with_provider({"Arn": PROVIDER}))
    (version,) = (r for r in expansion.values() if r["Type"] == "AWS::Lambda::Version")
    assert version["DeletionPolicy"] == "Delete"
