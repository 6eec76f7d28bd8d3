"""References that leave the house: what a third party is given instead of a callback id.

A reference is derived, with a key that never leaves KMS, from what it is for, the execution and the
operation. So a submitter that comes again derives the same one, nobody can guess one, and none has
to be kept: of a reference, only the SHA-256 is stored. Who holds a reference can use it for one
purpose and for one callback.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from enum import StrEnum

import boto3

KEY_VARIABLE = "REFERENCE_KEY"
"""Names the environment variable that holds the id of an HMAC_256 key in KMS."""

_SHAPE = re.compile(r"[A-Za-z0-9_-]{43}")

kms = boto3.client("kms")


class Purpose(StrEnum):
    """What a reference is good for."""

    WEBHOOK = "webhook"
    APPROVAL = "approval"


def derive(purpose: Purpose, execution_arn: str, operation: str) -> str:
    """The reference of an operation: 43 characters that are safe in a URL."""
    message = "\n".join((purpose, execution_arn, operation))
    answer = kms.generate_mac(
        KeyId=os.environ[KEY_VARIABLE], MacAlgorithm="HMAC_SHA_256", Message=message.encode()
    )
    return base64.urlsafe_b64encode(answer["Mac"]).decode().rstrip("=")


def is_well_formed(reference: str) -> bool:
    """Whether this could be a reference at all; if not, there is no need to look it up."""
    return _SHAPE.fullmatch(reference) is not None


def row_name(purpose: Purpose, reference: str) -> str:
    """Under which name the registry keeps the callback: it can't be turned into the reference."""
    return f"{purpose}#{hashlib.sha256(reference.encode()).hexdigest()}"
