"""Rotating the signing key: at every moment, whatever dies, the agency's signature counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from patterns.transient import TransientError
from patterns.webhook_callback import keys, rotation
from patterns.webhook_callback.keys import Keys
from scenarios.worlds.transcription import FIRST_KEY, SECRET, Agency
from tests.interference import dying_at, moments, watching
from tests.logs import listening
from tests.patterns.test_webhook_endpoint import HEARTBEAT, ROW, status
from tests.patterns.waiting import Wait, waiting

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
CLIENTS = [rotation.secrets_manager]


@pytest.fixture
def world() -> Iterator[tuple[Wait, Agency]]:
    with waiting(ROW) as world:
        yield world


def take(step: str, version: str = "v" * 32) -> None:
    context: Any = None
    event = {"Step": step, "SecretId": SECRET, "ClientRequestToken": version}
    rotation.handler(event, context)


def stored() -> Keys:
    answer = boto3.client("secretsmanager").get_secret_value(
        SecretId=SECRET, VersionStage="AWSCURRENT"
    )
    return Keys.model_validate_json(answer["SecretString"])


def assert_heard(agency: Agency) -> None:
    """The agency's signature counts, for an environment that knows the keys and for a new one."""
    assert status(HEARTBEAT, key=agency.key()) != 401
    keys.forget()
    assert status(HEARTBEAT, key=agency.key()) != 401


def test_a_rotation_makes_a_new_key_and_keeps_the_old_one_for_a_while(
    world: tuple[Wait, Agency],
) -> None:
    for step in STEPS:
        take(step)
    now = stored()
    assert now.previous == FIRST_KEY != now.current
    assert len(now.current) >= keys.SHORTEST_KEY


def test_the_agency_is_heard_at_every_moment_of_a_rotation_and_after_it(
    world: tuple[Wait, Agency],
) -> None:
    wait, agency = world
    for step in STEPS:
        take(step)
        assert_heard(agency)
    for _ in range(6):
        wait.pass_time(rotation.HANDOVER_SECONDS / 4)
        assert_heard(agency)
    assert agency.key() != FIRST_KEY, "the new key was never used"
    assert status(HEARTBEAT, key=FIRST_KEY) == 401


@pytest.mark.parametrize("died_in", STEPS)
def test_a_rotation_that_dies_at_any_call_is_taken_up_again_or_begun_anew(
    world: tuple[Wait, Agency], died_in: str
) -> None:
    wait, agency = world
    for step in STEPS[: STEPS.index(died_in)]:
        take(step)
    with watching(CLIENTS) as calls:
        take(died_in)
    for number, moment in enumerate(moments(len(calls.made))):
        version = f"{number:032}"
        for step in STEPS[: STEPS.index(died_in)]:
            take(step, version)
        with dying_at(CLIENTS, moment) as died, pytest.raises(SystemExit):
            take(died_in, version)
        assert died
        assert_heard(agency)
        again = version if number % 2 else f"{number:031}x"
        for step in STEPS:
            take(step, again)
        assert_heard(agency)
        wait.pass_time(rotation.HANDOVER_SECONDS)
        assert_heard(agency)
        wait.pass_time(keys.OVERLAP_SECONDS)


def test_every_step_may_come_twice(world: tuple[Wait, Agency]) -> None:
    for step in STEPS[:3]:
        take(step)
        take(step)
    take("finishSecret")
    key = stored().current
    take("finishSecret")
    assert stored().current == key


def test_an_agency_that_can_not_be_told_the_key_stops_the_rotation_before_it_counts(
    world: tuple[Wait, Agency],
) -> None:
    _, agency = world
    agency.refusals.append(503)
    take("createSecret")
    with pytest.raises(TransientError):
        take("setSecret")
    assert stored().current == FIRST_KEY
    assert_heard(agency)


def test_a_version_that_does_not_follow_the_current_one_is_not_put_to_use(
    world: tuple[Wait, Agency],
) -> None:
    take("createSecret")
    boto3.client("secretsmanager").put_secret_value(
        SecretId=SECRET, SecretString=Keys(current="k" * 40).model_dump_json()
    )
    with pytest.raises(ValueError, match="does not follow"):
        take("testSecret")


def test_the_test_that_is_made_when_a_schedule_is_set_up_passes(
    world: tuple[Wait, Agency],
) -> None:
    version = "t" * 32
    boto3.client("secretsmanager").put_secret_value(
        SecretId=SECRET,
        ClientRequestToken=version,
        SecretString=Keys(current=FIRST_KEY).model_dump_json(),
        VersionStages=["AWSPENDING"],
    )
    take("testSecret", version)
    assert_heard(world[1])


def test_a_step_that_is_unknown_is_refused(world: tuple[Wait, Agency]) -> None:
    with pytest.raises(ValueError, match="no such step: eraseSecret"):
        take("eraseSecret")


def test_no_key_is_logged(world: tuple[Wait, Agency]) -> None:
    with listening("rotation") as log:
        for step in STEPS:
            take(step)
    assert "rotation step taken" in log.text
    assert stored().current not in log.text
    assert FIRST_KEY not in log.text
    assert repr(stored()).count("key") == 0
