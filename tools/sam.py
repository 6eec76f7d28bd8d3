"""The SAM template as CloudFormation would see it, expanded without AWS."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from cfnlint.decode import cfn_yaml
from samtranslator.translator.transform import transform

TEMPLATE = Path(__file__).parents[1] / "template.yaml"
REGION = "us-east-1"
EXAMPLES = {"PartnerUrl": "https://agency.example"}
"""Values for the parameters that have no default."""


class ManagedPolicies:
    """AWS managed policies by name; SAM asks IAM for them, and any name will do here."""

    def load(self) -> dict[str, str]:
        """No managed policy is named in the template."""
        return {}


def read(path: Path = TEMPLATE) -> dict[str, Any]:
    """The template with its short forms (`!Ref`, `!Sub`, …) and anchors resolved."""
    template: dict[str, Any] = cfn_yaml.load(str(path))
    return template


def expand(path: Path = TEMPLATE) -> dict[str, Any]:
    """The template with the SAM transform applied, its parameters at their defaults or examples."""
    template = read(path)
    # As `sam package` leaves it: the transform takes code from S3 only.
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::StateMachine":
            resource["Properties"]["DefinitionUri"] = "s3://bucket/key"
    parameters = {
        name: parameter.get("Default", EXAMPLES.get(name))
        for name, parameter in template.get("Parameters", {}).items()
    }
    with patch.dict(os.environ, {"AWS_DEFAULT_REGION": REGION}):
        expanded: dict[str, Any] = transform(template, parameters, ManagedPolicies())
    return expanded


def as_yaml(template: dict[str, Any]) -> str:
    """A template as plain YAML."""
    return yaml.safe_dump(_plain(template), sort_keys=False)


def _plain(value: Any) -> Any:
    # cfn-lint's nodes remember where they stood; YAML wants plain values.
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, str) else value
