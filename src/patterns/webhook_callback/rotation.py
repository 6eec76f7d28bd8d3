"""Rotate the signing key: the four steps of Secrets Manager, each safe to repeat.

What makes this safe is the timing. We announce the new key to the vendor together with *the time
from which to sign with it*: a day later, long after this rotation has finished. The old key is
accepted until an hour after that. So the vendor never signs with a key that the endpoint rejects. A
rotation that crashes halfway can be resumed or restarted within that day: a new announcement
replaces the earlier one.
"""

from __future__ import annotations

import json
import secrets
import time

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import BaseModel, event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext

from patterns.webhook_callback import partner
from patterns.webhook_callback.keys import Keys

ACTIVATION_DELAY_SECONDS = 24 * 3600
"""Time from a key's announcement to its first use; a rotation takes seconds."""
KEY_BYTES = 48

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"

logger = Logger(service="rotation")
secrets_manager = boto3.client("secretsmanager")


class RotationStep(BaseModel):
    """The event that Secrets Manager sends (Secrets Manager user guide, rotation functions)."""

    Step: str
    SecretId: str
    ClientRequestToken: str


@event_parser(model=RotationStep)
def handler(event: RotationStep, _: LambdaContext) -> None:
    """Run one step of a rotation.

    Raises:
        ValueError: the step is unknown, or the new version does not follow the current one.
        JobRejected: the vendor rejected the new key.
        TransientError: the vendor is unreachable or busy; Secrets Manager retries.
    """
    secret, version = event.SecretId, event.ClientRequestToken
    match event.Step:
        case "createSecret":
            _create(secret, version)
        case "setSecret":
            pending = _read(secret, PENDING, version)
            partner.announce_key(pending.current, pending.since)
        case "testSecret":
            _test(_read(secret, PENDING, version), _read(secret, CURRENT))
        case "finishSecret":
            _finish(secret, version)
        case _:
            raise ValueError(f"unknown step: {event.Step}")
    logger.info("rotation step completed", step=event.Step)


def _create(secret: str, version: str) -> None:
    try:
        _read(secret, PENDING, version)
    except secrets_manager.exceptions.ResourceNotFoundException:
        # Secrets Manager has already created the version, but without a value.
        _put_new_key(secret, version)


def _put_new_key(secret: str, version: str) -> None:
    now = time.time()
    pending = {
        "current": secrets.token_urlsafe(KEY_BYTES),
        "since": now + ACTIVATION_DELAY_SECONDS,
        # Not always the current key: the vendor may not have switched since the last rotation.
        "previous": _read(secret, CURRENT).in_use(now),
    }
    secrets_manager.put_secret_value(
        SecretId=secret,
        ClientRequestToken=version,
        SecretString=json.dumps(pending),
        VersionStages=[PENDING],
    )


def _test(pending: Keys, current: Keys) -> None:
    # When rotation is set up, Secrets Manager runs only this step, on a copy of the current keys.
    if pending != current and pending.previous not in current.accepted(time.time()):
        raise ValueError("the new version does not follow the current one")


def _finish(secret: str, version: str) -> None:
    versions = _versions(secret)
    current = next(v for v, stages in versions.items() if CURRENT in stages)
    if current != version:
        secrets_manager.update_secret_version_stage(
            SecretId=secret,
            VersionStage=CURRENT,
            MoveToVersionId=version,
            RemoveFromVersionId=current,
        )


def _versions(secret: str) -> dict[str, list[str]]:
    response = secrets_manager.describe_secret(SecretId=secret)
    versions: dict[str, list[str]] = response.get("VersionIdsToStages", {})
    return versions


def _read(secret: str, stage: str, version: str | None = None) -> Keys:
    selector = {"VersionStage": stage} | ({"VersionId": version} if version else {})
    response = secrets_manager.get_secret_value(SecretId=secret, **selector)
    return Keys.model_validate_json(response["SecretString"])
