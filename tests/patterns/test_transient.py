"""The retry strategy outlasts hours of transient errors, retries no others, and no call hangs."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
import random
import socket
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python.config import Duration
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    ParamValidationError,
    ReadTimeoutError,
)

import patterns
from dacapo import START, Simulation
from patterns import transient
from patterns.callbacks import NotSentYet
from patterns.transient import (
    TransientError,
    is_transient,
    retries_in,
    retry_for,
    retry_transient,
    retry_until,
)
from tests.depth import every

FIVE_HOURS = 5 * 3600
THROTTLED = TransientError("throttled")
THIRTY_SECONDS = Duration.from_seconds(30)


def client_error(code: str, status: int) -> ClientError:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Operation")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error",
    [
        client_error("ThrottlingException", 400),
        client_error("ProvisionedThroughputExceededException", 400),
        client_error("TooManyRequestsException", 429),
        client_error("RequestLimitExceeded", 503),
        client_error("InternalFailure", 500),
        client_error("SlowDown", 429),
        client_error("RequestTimeout", 400),
        EndpointConnectionError(endpoint_url="x"),
        ConnectTimeoutError(endpoint_url="x"),
        ReadTimeoutError(endpoint_url="x"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        NotSentYet("later"),
    ],
)
def test_a_transient_error_is_retried(error: Exception) -> None:
    assert is_transient(error)
    assert retry_transient(error, 1).should_retry
    assert not retry_transient(error, transient.MAX_ATTEMPTS).should_retry


@pytest.mark.parametrize(
    "error",
    [
        client_error("AccessDeniedException", 403),
        client_error("ResourceNotFoundFault", 400),
        ParamValidationError(report="x"),
        ValueError("x"),
    ],
)
def test_a_permanent_error_is_not_retried(error: Exception) -> None:
    assert not is_transient(error)
    assert not retry_transient(error, 1).should_retry


# -- how long -------------------------------------------------------------------------------------


def delays(strategy: transient.RetryStrategy = retry_transient) -> list[int]:
    """Return the delays before all retries of an error that stays, in seconds."""
    decisions = (strategy(THROTTLED, attempt) for attempt in itertools.count(1))
    retries = itertools.takewhile(lambda decision: decision.should_retry, decisions)
    return [decision.delay_seconds for decision in retries]


@pytest.mark.parametrize("seed", every(5, range(10)))
def test_retries_outlast_five_hours_at_any_jitter(seed: int) -> None:
    random.seed(seed)
    assert sum(delays()) > FIVE_HOURS


def test_the_shortest_retries_outlast_six_hours_and_the_longest_end_the_same_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    totals = []
    for drawn in (0, 1):
        monkeypatch.setattr(random, "random", lambda drawn=drawn: drawn)
        totals.append(sum(delays()) / 3600)
    assert Duration.from_hours(6) == transient.OUTLASTS
    assert 6 <= totals[0] < totals[1] <= 12 + 1 / 3


def test_a_step_continues_soon_after_a_short_outage_and_a_quarter_hour_after_a_long_one() -> None:
    waited = delays()
    assert waited[0] <= 2
    assert sum(waited[:3]) < 60
    assert max(waited) <= 15 * 60


def test_the_numbers_that_quotas_are_computed_from_are_those_of_the_strategy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(random, "random", lambda: 1)
    waited = delays()
    assert len(waited) == transient.RETRIES == 53
    assert transient.MAX_ATTEMPTS == 54
    assert waited[: transient.QUICK_RETRIES] == [2, 8, 32, 128, 512]
    assert set(waited[transient.QUICK_RETRIES :]) == {15 * 60}


@pytest.mark.parametrize("hours", [1, 6, 24])
def test_a_pattern_sets_a_deadline_of_its_own(hours: int) -> None:
    waited = delays(retry_for(Duration.from_hours(hours)))
    assert len(waited) == retries_in(Duration.from_hours(hours))
    assert sum(waited) >= hours * 3600


def test_a_pattern_may_retry_every_error() -> None:
    strategy = retry_for(Duration.from_hours(6), errors=lambda _: True)
    assert strategy(ValueError("x"), 1).should_retry
    assert not strategy(ValueError("x"), transient.MAX_ATTEMPTS).should_retry


# -- calls that hang ------------------------------------------------------------------------------


@pytest.fixture
def silent_url() -> Iterator[str]:
    """URL of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("config", "seconds"), [(transient.STEP_CLIENT, 21), (transient.HTTP_CLIENT, 4)]
)
def test_a_call_that_hangs_ends_with_a_transient_error(
    silent_url: str, config: Any, seconds: int
) -> None:
    """The numbers are those of the configuration; one attempt of 50 ms shows the error."""
    attempts = config.retries["total_max_attempts"]
    pauses = attempts - 1  # in standard mode, botocore waits at most a second before the first
    assert attempts * (config.connect_timeout + config.read_timeout) + pauses == seconds
    short = config.merge(Config(read_timeout=0.05, retries={"total_max_attempts": 1}))
    client = boto3.client("dynamodb", endpoint_url=silent_url, config=short)
    with pytest.raises(ReadTimeoutError) as raised:
        client.list_tables()
    assert is_transient(raised.value)


def clients() -> dict[int, Any]:
    """Return the clients that the modules of the patterns create, by their ID."""
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(patterns.__path__, "patterns.")
    ]
    values = [value for module in modules for value in vars(module).values()]
    return {id(value): value for value in values if isinstance(value, BaseClient)}


def test_every_client_of_the_patterns_ends_a_call_that_hangs() -> None:
    all_clients = clients().values()
    assert len(all_clients) > 15
    for client in all_clients:
        config = client.meta.config
        attempts = config.retries["total_max_attempts"]
        seconds = attempts * (config.connect_timeout + config.read_timeout) + attempts - 1
        assert seconds <= 21, client.meta.service_model.service_name


@pytest.mark.parametrize(
    ("elapsed", "attempts", "is_retried"),
    [
        (0, 1, True),
        (0, 10, True),
        (269, 10, True),
        (270, 10, False),
        (297, 1, True),
        (299, 1, False),
    ],
)
def test_a_job_is_retried_until_its_deadline_and_never_after_it(
    elapsed: int, attempts: int, is_retried: bool
) -> None:
    simulation = Simulation(0, START)
    with simulation.running():
        retry = retry_until(START.timestamp() + 300, max_delay=THIRTY_SECONDS)
        simulation.clock.sleep(elapsed)
        decision = retry(TransientError("busy"), attempts)
    assert decision.should_retry is is_retried
    assert not is_retried or elapsed + decision.delay_seconds < 300


@pytest.mark.parametrize(
    ("error", "is_retried"), [(NotSentYet("later"), True), (ValueError("never"), False)]
)
def test_only_a_transient_error_is_retried_until_a_deadline(
    error: Exception, is_retried: bool
) -> None:
    simulation = Simulation(0, START)
    with simulation.running():
        retry = retry_until(START.timestamp() + 300, max_delay=THIRTY_SECONDS)
        assert retry(error, 1).should_retry is is_retried
