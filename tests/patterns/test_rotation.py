"""Rotating the signing key: the vendor's signature is accepted throughout, despite any crash."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from patterns.transient import TransientError
from patterns.webhook_callback import keys, rotation
from patterns.webhook_callback.keys import Keys
from scenarios.worlds.transcription import FIRST_KEY, SECRET, Vendor
from tests.interference import crash_at, moments, watching
from tests.logs import listening
from tests.patterns.test_webhook_endpoint import HEARTBEAT, ROW, status
from tests.patterns.waiting import Wait, waiting

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
CLIENTS = [rotation.secrets_manager]


@pytest.fixture
def world() -> Iterator[tuple[Wait, Vendor]]:
    with waiting(ROW) as world:
        yield world


def run(step: str, version: str = "v" * 32) -> None:
    context: Any = None
    event = {"Step": step, "SecretId": SECRET, "ClientRequestToken": version}
    rotation.handler(event, context)


def stored() -> Keys:
    response = boto3.client("secretsmanager").get_secret_value(
        SecretId=SECRET, VersionStage="AWSCURRENT"
    )
    return Keys.model_validate_json(response["SecretString"])


def assert_accepted(vendor: Vendor) -> None:
    """Assert that the vendor's signature is accepted, with cached keys and with fresh ones."""
    assert status(HEARTBEAT, key=vendor.key()) != 401
    keys.forget()
    assert status(HEARTBEAT, key=vendor.key()) != 401


def test_a_rotation_creates_a_new_key_and_keeps_the_old_one_for_a_while(
    world: tuple[Wait, Vendor],
) -> None:
    for step in STEPS:
        run(step)
    new_keys = stored()
    assert new_keys.previous == FIRST_KEY != new_keys.current
    assert len(new_keys.current) >= keys.MIN_KEY_LENGTH


def test_the_vendors_signature_is_accepted_throughout_a_rotation_and_after_it(
    world: tuple[Wait, Vendor],
) -> None:
    wait, vendor = world
    for step in STEPS:
        run(step)
        assert_accepted(vendor)
    for _ in range(6):
        wait.pass_time(rotation.ACTIVATION_DELAY_SECONDS / 4)
        assert_accepted(vendor)
    assert vendor.key() != FIRST_KEY, "the new key was never used"
    assert status(HEARTBEAT, key=FIRST_KEY) == 401


@pytest.mark.parametrize("crashing_step", STEPS)
def test_a_rotation_that_crashes_at_any_call_can_be_resumed_or_restarted(
    world: tuple[Wait, Vendor], crashing_step: str
) -> None:
    wait, vendor = world
    for step in STEPS[: STEPS.index(crashing_step)]:
        run(step)
    with watching(CLIENTS) as calls:
        run(crashing_step)
    for number, moment in enumerate(moments(len(calls.names))):
        version = f"{number:032}"
        for step in STEPS[: STEPS.index(crashing_step)]:
            run(step, version)
        with crash_at(CLIENTS, moment) as died, pytest.raises(SystemExit):
            run(crashing_step, version)
        assert died
        assert_accepted(vendor)
        again = version if number % 2 else f"{number:031}x"
        for step in STEPS:
            run(step, again)
        assert_accepted(vendor)
        wait.pass_time(rotation.ACTIVATION_DELAY_SECONDS)
        assert_accepted(vendor)
        wait.pass_time(keys.OVERLAP_SECONDS)


def test_every_step_can_run_twice(world: tuple[Wait, Vendor]) -> None:
    for step in STEPS[:3]:
        run(step)
        run(step)
    run("finishSecret")
    key = stored().current
    run("finishSecret")
    assert stored().current == key


def test_a_rotation_stops_before_the_switch_if_the_key_cannot_be_announced(
    world: tuple[Wait, Vendor],
) -> None:
    _, vendor = world
    vendor.rejections.append(503)
    run("createSecret")
    with pytest.raises(TransientError):
        run("setSecret")
    assert stored().current == FIRST_KEY
    assert_accepted(vendor)


def test_a_version_that_does_not_follow_the_current_one_is_rejected(
    world: tuple[Wait, Vendor],
) -> None:
    run("createSecret")
    boto3.client("secretsmanager").put_secret_value(
        SecretId=SECRET, SecretString=Keys(current="k" * 40).model_dump_json()
    )
    with pytest.raises(ValueError, match="does not follow"):
        run("testSecret")


def test_the_test_step_passes_on_its_own_when_rotation_is_set_up(
    world: tuple[Wait, Vendor],
) -> None:
    version = "t" * 32
    boto3.client("secretsmanager").put_secret_value(
        SecretId=SECRET,
        ClientRequestToken=version,
        SecretString=Keys(current=FIRST_KEY).model_dump_json(),
        VersionStages=["AWSPENDING"],
    )
    run("testSecret", version)
    assert_accepted(world[1])


# -- resumed late ---------------------------------------------------------------------------------

NOON = rotation.ACTIVATION_DELAY_SECONDS / 2
DAYS_LATE = [NOON + 1, rotation.ACTIVATION_DELAY_SECONDS, 3 * rotation.ACTIVATION_DELAY_SECONDS]


def announced(vendor: Vendor) -> float:
    """Return the time from which the vendor signs with the latest key."""
    return vendor.key_changes[-1][0]


@pytest.mark.parametrize("late", DAYS_LATE)
def test_a_rotation_that_is_resumed_late_announces_a_moment_in_the_future(
    world: tuple[Wait, Vendor], late: float
) -> None:
    wait, vendor = world
    run("createSecret")
    wait.pass_time(late)
    for step in STEPS:  # Secrets Manager repeats the whole process
        run(step)
        assert_accepted(vendor)
    assert announced(vendor) >= time.time() + rotation.MIN_NOTICE_SECONDS
    assert announced(vendor) == stored().since
    wait.pass_time(rotation.ACTIVATION_DELAY_SECONDS)
    assert_accepted(vendor)
    assert vendor.key() == stored().current != FIRST_KEY


def test_a_rotation_that_is_resumed_in_time_keeps_its_moment(world: tuple[Wait, Vendor]) -> None:
    wait, vendor = world
    run("createSecret")
    created = time.time()
    wait.pass_time(NOON - 1)
    run("setSecret")
    assert announced(vendor) == pytest.approx(created + rotation.ACTIVATION_DELAY_SECONDS)


@pytest.mark.parametrize("moment", moments(6), ids=lambda m: f"{m[1]} {m[0]}")
def test_a_crash_while_the_moment_is_changed_announces_no_moment_in_the_past(
    world: tuple[Wait, Vendor], moment: tuple[int, str]
) -> None:
    """The calls: find the new version, read it, read the current one, write, find, and read."""
    wait, vendor = world
    run("createSecret")
    wait.pass_time(rotation.ACTIVATION_DELAY_SECONDS)
    with crash_at(CLIENTS, moment) as died, pytest.raises(SystemExit):
        run("setSecret")
    assert died
    assert len(vendor.key_changes) == 1, "something was announced before the crash"
    for step in STEPS:
        run(step)
    assert announced(vendor) >= time.time() + rotation.MIN_NOTICE_SECONDS
    assert announced(vendor) == stored().since
    assert_accepted(vendor)


def test_a_key_that_was_announced_before_a_long_crash_is_accepted_once_it_is_resumed(
    world: tuple[Wait, Vendor],
) -> None:
    wait, vendor = world
    run("createSecret")
    run("setSecret")
    wait.pass_time(2 * rotation.ACTIVATION_DELAY_SECONDS)
    assert vendor.key() != FIRST_KEY, "the vendor has switched as announced"
    for step in STEPS:
        run(step)
    assert_accepted(vendor)
    wait.pass_time(2 * rotation.ACTIVATION_DELAY_SECONDS)
    assert_accepted(vendor)


def test_a_rotation_that_is_repeated_after_its_end_changes_nothing(
    world: tuple[Wait, Vendor],
) -> None:
    wait, _ = world
    for step in STEPS:
        run(step)
    before = stored()
    wait.pass_time(rotation.ACTIVATION_DELAY_SECONDS)
    for step in STEPS:
        run(step)
    assert stored() == before


def test_an_unknown_step_is_rejected(world: tuple[Wait, Vendor]) -> None:
    with pytest.raises(ValueError, match="unknown step: eraseSecret"):
        run("eraseSecret")


def test_no_key_is_logged(world: tuple[Wait, Vendor]) -> None:
    with listening("rotation") as log:
        for step in STEPS:
            run(step)
    assert "rotation step completed" in log.text
    assert stored().current not in log.text
    assert FIRST_KEY not in log.text
    assert repr(stored()).count("key") == 0
