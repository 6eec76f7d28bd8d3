"""The SAM template as CloudFormation sees it, expanded without AWS."""

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
EXAMPLES = {"PartnerUrl": "https://vendor.example"}
"""Values for parameters without a default."""


class ManagedPolicies:
    """A stand-in for the list of AWS managed policies that SAM loads from IAM."""

    def load(self) -> dict[str, str]:
        """Return no policies: the template names none."""
        return {}


def read(path: Path = TEMPLATE) -> dict[str, Any]:
    """Return the template with its short forms (`!Ref`, `!Sub`, …) and anchors resolved."""
    template: dict[str, Any] = cfn_yaml.load(str(path))
    return template


def expand(path: Path = TEMPLATE) -> dict[str, Any]:
    """Return the template after the SAM transform, with default or example parameters."""
    template = read(path)
    # As `sam package` rewrites it: the transform accepts code from S3 only.
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
    """Return a template as plain YAML."""
    return yaml.safe_dump(_plain(template), sort_keys=False)


def _plain(value: Any) -> Any:
    # cfn-lint's nodes carry their positions; YAML needs plain values.
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, str) else value
