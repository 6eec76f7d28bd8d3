"""References: what an external system receives instead of a callback ID.

A reference is derived from its purpose, the execution, and the operation, with a key that never
leaves KMS. So a retried submitter derives the same reference, nobody can guess one, and none has to
be stored: the registry keeps only its SHA-256. A reference is valid for one purpose and one
callback.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from enum import StrEnum

import boto3

from patterns.transient import STEP_CLIENT

KEY_VARIABLE = "REFERENCE_KEY"
"""Environment variable with the ID of an HMAC_256 key in KMS."""

_FORMAT = re.compile(r"[A-Za-z0-9_-]{43}")

kms = boto3.client("kms", config=STEP_CLIENT)


class Purpose(StrEnum):
    """The purpose that a reference is valid for."""

    WEBHOOK = "webhook"
    APPROVAL = "approval"


def derive(purpose: Purpose, execution_arn: str, operation: str) -> str:
    """Derive the reference of an operation.

    Parameters:
        execution_arn: ARN of the execution.
        operation: name of the operation, unique within the execution.

    Returns:
        43 characters that are safe in a URL.
    """
    message = "\n".join((purpose, execution_arn, operation))
    response = kms.generate_mac(
        KeyId=os.environ[KEY_VARIABLE], MacAlgorithm="HMAC_SHA_256", Message=message.encode()
    )
    return base64.urlsafe_b64encode(response["Mac"]).decode().rstrip("=")


def is_well_formed(reference: str) -> bool:
    """Return True if this could be a reference; if not, there is no need to look it up."""
    return _FORMAT.fullmatch(reference) is not None


def row_name(purpose: Purpose, reference: str) -> str:
    """Return the registry's key for a callback, from which the reference can't be recovered."""
    return f"{purpose}#{hashlib.sha256(reference.encode()).hexdigest()}"
