"""The SAM templates as CloudFormation sees them, expanded without AWS."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from cfnlint.decode import cfn_yaml
from samtranslator.translator.transform import transform

ROOT = Path(__file__).parents[1]
TOP = ROOT / "template.yaml"
"""The template that nests all others."""
TEMPLATES = {path.parent.name: path for path in sorted((ROOT / "src").rglob("template.yaml"))}
"""The nested templates by folder: the patterns, what callbacks share, and the baselines."""
REGION = "us-east-1"
EXAMPLES = {
    "PartnerUrl": "https://vendor.example",
    "CallbacksTable": "callbacks",
    "FunctionArn": f"arn:aws:lambda:{REGION}:123456789012:function:orders",
}
"""Values for parameters without a default."""
_ON_S3 = "s3://bucket/key"

# The transform measures itself, and warns that nobody reads the figures.
logging.getLogger("samtranslator.metrics.metrics").setLevel(logging.ERROR)


class ManagedPolicies:
    """A stand-in for the list of AWS managed policies that SAM loads from IAM."""

    def load(self) -> dict[str, str]:
        """Return no policies: the templates name none."""
        return {}


def read(path: Path = TOP) -> dict[str, Any]:
    """Return a template with its short forms (`!Ref`, `!Sub`, …) and anchors resolved."""
    template: dict[str, Any] = cfn_yaml.load(str(path))
    return template


def expand(path: Path = TOP) -> dict[str, Any]:
    """Return a template after the SAM transform, with default or example parameters."""
    template = read(path)
    _move_to_s3(template)
    parameters = {
        name: parameter.get("Default", EXAMPLES.get(name))
        for name, parameter in template.get("Parameters", {}).items()
    }
    with patch.dict(os.environ, {"AWS_DEFAULT_REGION": REGION}):
        expanded: dict[str, Any] = transform(template, parameters, ManagedPolicies())
    return expanded


def _move_to_s3(template: dict[str, Any]) -> None:
    # As `sam package` rewrites it: the transform accepts code and nested templates from S3 only.
    if "Globals" in template:
        template["Globals"]["Function"]["CodeUri"] = _ON_S3
    for resource in template["Resources"].values():
        match resource["Type"]:
            case "AWS::Serverless::StateMachine":
                resource["Properties"]["DefinitionUri"] = _ON_S3
            case "AWS::Serverless::Application":
                url = f"https://s3.{REGION}.amazonaws.com/bucket/key"
                resource["Properties"] |= {"Location": url, "TemplateUrl": url}


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
