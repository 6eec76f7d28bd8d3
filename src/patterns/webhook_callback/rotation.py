"""Rotate the signing key: the four steps of Secrets Manager, each safe to repeat.

What makes this safe is the timing. We announce the new key to the vendor together with *the time
from which to sign with it*: a day later, long after this rotation has finished. The old key is
accepted until an hour after that. So the vendor never signs with a key that the endpoint rejects.

A rotation that crashes halfway can be resumed or restarted: a new announcement replaces the earlier
one. If it is resumed so late that the time would be near or past, the new key gets a later one
first. What is left: a rotation that announces a key and isn't resumed within a day. From then on,
the vendor signs with a key that the endpoint can't know, until somebody resumes the rotation.
"""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import BaseModel, event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext

from patterns.transient import STEP_CLIENT
from patterns.webhook_callback import partner
from patterns.webhook_callback.keys import Keys

ACTIVATION_DELAY_SECONDS = 24 * 3600
"""Time from a key's creation to its first use; a rotation takes seconds."""
MIN_NOTICE_SECONDS = ACTIVATION_DELAY_SECONDS / 2
"""Minimum time from a key's announcement to its first use; with less, it gets a new time."""
KEY_BYTES = 48

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"

logger = Logger(service="rotation")
secrets_manager = boto3.client("secretsmanager", config=STEP_CLIENT)


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
            _announce(secret)
        case "testSecret":
            _test(secret)
        case "finishSecret":
            _finish(secret)
        case _:
            raise ValueError(f"unknown step: {event.Step}")
    logger.info("rotation step completed", step=event.Step)


def _create(secret: str, version: str) -> None:
    # Secrets Manager has already created the version, but without a value. If it has one, an
    # earlier attempt has got this far, or has even finished.
    if _pending(secret) is None and _value(secret, version) is None:
        _put(secret, version, secrets.token_urlsafe(KEY_BYTES))


def _announce(secret: str) -> None:
    pending = _pending(secret)
    if pending and pending.since < time.time() + MIN_NOTICE_SECONDS:
        # The content of a version never changes, so a later time needs another version. The key
        # stays the same: a crash may have happened after it was announced, and then the vendor
        # signs with it from the earlier time on. The later version takes the
        # stage from this one, so the steps that follow find it; if we crash before announcing it,
        # the next attempt does, or finds it too old as well and replaces it.
        _put(secret, uuid.uuid4().hex, pending.current)
        pending = _pending(secret)
    if pending:
        partner.announce_key(pending.current, pending.since)


def _put(secret: str, version: str, key: str) -> None:
    now = time.time()
    content = {
        "current": key,
        "since": now + ACTIVATION_DELAY_SECONDS,
        # Not always the current key: the vendor may not have switched since the last rotation.
        "previous": _read(secret, VersionStage=CURRENT).in_use(now),
    }
    secrets_manager.put_secret_value(
        SecretId=secret,
        ClientRequestToken=version,
        SecretString=json.dumps(content),
        VersionStages=[PENDING],
    )


def _test(secret: str) -> None:
    pending, current = _pending(secret), _read(secret, VersionStage=CURRENT)
    # When rotation is set up, Secrets Manager runs only this step, on a copy of the current keys.
    if pending is None or pending == current:
        return
    if pending.previous not in current.accepted(time.time()):
        raise ValueError("the new version does not follow the current one")


def _finish(secret: str) -> None:
    versions = _versions(secret)
    pending = _pending_version(versions)
    if pending:
        secrets_manager.update_secret_version_stage(
            SecretId=secret,
            VersionStage=CURRENT,
            MoveToVersionId=pending,
            RemoveFromVersionId=next(v for v, stages in versions.items() if CURRENT in stages),
        )


def _pending(secret: str) -> Keys | None:
    """Return the keys of the new version; None before it has a value, and when all is finished."""
    version = _pending_version(_versions(secret))
    return _value(secret, version) if version else None


def _value(secret: str, version: str) -> Keys | None:
    try:
        return _read(secret, VersionId=version)
    except secrets_manager.exceptions.ResourceNotFoundException:
        return None


def _pending_version(versions: Mapping[str, Sequence[str]]) -> str | None:
    # By its stage, not by the token of the rotation: `_announce` may have replaced that version.
    # After a rotation, the stage may stay with the version that has become the current one.
    pending = (v for v, stages in versions.items() if PENDING in stages and CURRENT not in stages)
    return next(pending, None)


def _versions(secret: str) -> Mapping[str, Sequence[str]]:
    response = secrets_manager.describe_secret(SecretId=secret)
    versions: Mapping[str, Sequence[str]] = response.get("VersionIdsToStages", {})
    return versions


def _read(secret: str, **selector: str) -> Keys:
    response: Any = secrets_manager.get_secret_value(SecretId=secret, **selector)
    return Keys.model_validate_json(response["SecretString"])
