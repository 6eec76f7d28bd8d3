"""SARIF 2.1.0, as code scanning reads it: one result for each cause, at its line."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dacapo.process.source_lines import Place
from dacapo.report.outcome import NOT_VERIFIED, Cause, Outcome, from_root
from dacapo.verify.findings import Code
from dacapo.verify.rules import explain_command, rules

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
MOST_NAMES = 20
"""Names of executions that a result lists; the count is of all."""
_NUMBER = re.compile(r"\d+")
_NOT_VERIFIED_RULE = "The check must be able to replay every history."


def dumps(outcome: Outcome) -> str:
    """Return an outcome as SARIF, with paths from the root of the repository.

    A cause that is about no line has that of the handler's file: code scanning drops what has none.
    """
    codes = list(dict.fromkeys(cause.code for cause in outcome.causes))
    run = {
        "tool": {
            "driver": {
                "name": "dacapo",
                "version": version("dacapo-durable"),
                "rules": [_rule(code) for code in codes],
            }
        },
        "invocations": [{"executionSuccessful": True, "exitCode": outcome.exit_status}],
        "automationDetails": {"id": f"dacapo/{outcome.command}/"},
        "columnKind": "unicodeCodePoints",
        "results": [_result(cause, codes) for cause in outcome.causes],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _rule(code: str) -> dict[str, Any]:
    if code == NOT_VERIFIED:
        return {"id": code, "shortDescription": {"text": _NOT_VERIFIED_RULE}}
    rule = rules()[Code(code)]
    text = f"{rule.fix} See {explain_command(Code(code))}."
    return {
        "id": code,
        "shortDescription": {"text": rule.rule},
        "help": {
            "text": text,
            "markdown": f"{text}\n\n```python{rule.fixed}```",
        },
    }


def _result(cause: Cause, codes: Sequence[str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": cause.code,
        "ruleIndex": codes.index(cause.code),
        "level": cause.level.value,
        "message": {"text": _message(cause)},
        "partialFingerprints": {"dacapoCause/v1": _fingerprint(cause)},
        "properties": {"target": cause.target, "executions": list(cause.cases[:MOST_NAMES])},
    }
    if cause.cases:
        result["occurrenceCount"] = len(cause.cases)
    if cause.place is not None:
        result["locations"] = [_location(cause.place)]
    return result


def _message(cause: Cause) -> str:
    count = len(cause.cases)
    shown = f" ({count} executions)" if count > 1 else ""
    return "\n".join([f"{cause.message}{shown}", *(f"Fix: {fix}" for fix in cause.fixes)])


def _fingerprint(cause: Cause) -> str:
    # It has to stay the same when lines above are changed, and when other executions show it.
    file = from_root(cause.place.file) if cause.place else ""
    text = "\0".join([cause.target, cause.code, file, _NUMBER.sub("#", cause.message)])
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]


def _location(place: Place) -> dict[str, Any]:
    relative = from_root(place.file)
    is_below = not relative.startswith("..")
    artifact = (
        {"uri": quote(relative), "uriBaseId": "%SRCROOT%"}
        if is_below
        else {"uri": Path(place.file).absolute().as_uri()}
    )
    region = {"startLine": max(1, place.line)}
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}}
