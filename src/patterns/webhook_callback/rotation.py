"""Rotates the signing key, as Secrets Manager asks for it: in four steps that may come again.

What makes it safe is the order in time. The agency is told the new key *and from when on it has to
sign with it*: a day later, when this rotation is long through. The old key counts until an hour
after that. So at no moment does the agency sign with a key that the endpoint would refuse. A
rotation that dies half-way has a day to be taken up again, or to be begun anew: what is announced
then takes the place of what was announced before.
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

HANDOVER_SECONDS = 24 * 3600
"""How long after its announcement a key is used; a rotation takes seconds."""
KEY_BYTES = 48

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"

logger = Logger(service="rotation")
secrets_manager = boto3.client("secretsmanager")


class RotationStep(BaseModel):
    """What Secrets Manager sends; its names (Secrets Manager user guide, rotation functions)."""

    Step: str
    SecretId: str
    ClientRequestToken: str


@event_parser(model=RotationStep)
def handler(event: RotationStep, _: LambdaContext) -> None:
    """Take one step of a rotation.

    Raises:
        ValueError: the step is unknown, or the new version holds no new key.
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
            raise ValueError(f"no such step: {event.Step}")
    logger.info("rotation step taken", step=event.Step)


def _create(secret: str, version: str) -> None:
    try:
        _read(secret, PENDING, version)
    except secrets_manager.exceptions.ResourceNotFoundException:
        # Secrets Manager has registered the version already, but it has no value.
        _put_new_key(secret, version)


def _put_new_key(secret: str, version: str) -> None:
    now = time.time()
    pending = {
        "current": secrets.token_urlsafe(KEY_BYTES),
        "since": now + HANDOVER_SECONDS,
        # Not simply the current one: a rotation may follow another before the agency has changed.
        "previous": _read(secret, CURRENT).in_use(now),
    }
    secrets_manager.put_secret_value(
        SecretId=secret,
        ClientRequestToken=version,
        SecretString=json.dumps(pending),
        VersionStages=[PENDING],
    )


def _test(pending: Keys, current: Keys) -> None:
    # When a schedule is made, Secrets Manager takes this step alone, with a copy of what is there.
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
    described = secrets_manager.describe_secret(SecretId=secret)
    versions: dict[str, list[str]] = described.get("VersionIdsToStages", {})
    return versions


def _read(secret: str, stage: str, version: str | None = None) -> Keys:
    which = {"VersionStage": stage} | ({"VersionId": version} if version else {})
    answer = secrets_manager.get_secret_value(SecretId=secret, **which)
    return Keys.model_validate_json(answer["SecretString"])
