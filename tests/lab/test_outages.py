"""Outages: services of AWS fail for a while, below botocore's own machinery, in virtual time."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    Duration,
    JitterStrategy,
    StepConfig,
)
from aws_durable_execution_sdk_python.retries import (
    RetryPresets,
    RetryStrategyConfig,
    create_retry_strategy,
)
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from moto import mock_aws

from dacapo import (
    ExternalEvent,
    OutageKind,
    Recording,
    Scenario,
    ScenarioError,
    outage,
    run,
    verify,
)
from dacapo.errors import UnsupportedByEngine
from dacapo.official import runner as official
from dacapo.service.functions import function_arn
from dacapo.verify.observe.run import observe
from tests.depth import every

ONCE = Config(retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=20)
THREE_TIMES = Config(retries={"total_max_attempts": 3, "mode": "standard"}, read_timeout=20)
dynamodb = boto3.client("dynamodb", config=ONCE)
patient = boto3.client("dynamodb", config=THREE_TIMES)
legacy = boto3.client("dynamodb", config=Config(retries={"mode": "legacy"}))
kms = boto3.client("kms", config=ONCE)
sqs = boto3.client("sqs", config=THREE_TIMES)
lambda_client = boto3.client("lambda", config=ONCE)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
KINDS = list(OutageKind)
EVERY_MINUTE = StepConfig(
    create_retry_strategy(
        RetryStrategyConfig(
            max_attempts=100,
            initial_delay=Duration.from_minutes(1),
            backoff_rate=1,
            jitter_strategy=JitterStrategy.NONE,
        )
    )
)
ARN = f"{function_arn('f')}:1/durable-execution/name/{'0' * 8}-0000-0000-0000-{'0' * 12}"
NO_RETRY = StepConfig(RetryPresets.none())


@contextmanager
def table() -> Iterator[list[Any]]:
    """A table, and what the world reads from it."""
    with mock_aws():
        dynamodb.create_table(
            TableName="t",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield []


def put(key: str, client: Any = dynamodb) -> str:
    client.put_item(TableName="t", Item={"id": {"S": key}})
    return key


def stored() -> list[str]:
    return sorted(item["id"]["S"] for item in dynamodb.scan(TableName="t")["Items"])


@durable_execution
def persistent(event: Any, context: DurableContext) -> list[str]:
    first = context.step(lambda _: put("first"), name="first", config=EVERY_MINUTE)
    second = context.step(lambda _: put("second"), name="second", config=EVERY_MINUTE)
    return [first, second]


@durable_execution
def writes_once(event: Any, context: DurableContext) -> str:
    clients = {"once": dynamodb, "three times": patient, "legacy": legacy}
    return context.step(lambda _: put("only", clients[event]), name="only", config=NO_RETRY)


def scenario(handler: Any, *events: ExternalEvent, event: Any = "once", **more: Any) -> Scenario:
    return Scenario(handler=handler, event=event, world=table, external_events=events, **more)


def error_type(recording: Recording) -> str:
    assert recording.error is not None
    return str(recording.error.type)


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    return str(raised.value.response["Error"]["Code"])


# -- how a call fails ---------------------------------------------------------------------------


def test_a_step_fails_until_the_outage_ends_and_its_call_then_happens_once() -> None:
    began = time.perf_counter()
    seen: list[list[str]] = []
    recording = run(
        scenario(
            persistent,
            outage("dynamodb", lasts=30 * MINUTE),
            invariant=lambda *_: seen.append(stored()),
        )
    )
    assert recording.result == ["first", "second"]
    assert recording.operation("first").attempts == 31
    assert recording.operation("second").attempts == 1
    assert [call.at - recording.started for call in recording.failed_calls] == [
        n * MINUTE for n in range(30)
    ]
    assert recording.virtual_seconds == 30 * 60
    assert seen == [["first", "second"]]
    assert time.perf_counter() - began < 20, "real time passed, not virtual time"


@pytest.mark.parametrize(
    ("kind", "error", "seconds"),
    [
        ("throttled", "ProvisionedThroughputExceededException", 0),
        ("server error", "ClientError", 0),
        ("refused", "EndpointConnectionError", 0),
        ("hanging", "ReadTimeoutError", 20),
    ],
)
def test_each_kind_raises_the_error_that_boto3_raises_on_aws(
    kind: str, error: str, seconds: float
) -> None:
    recording = run(scenario(writes_once, outage("dynamodb", lasts=HOUR, kind=kind)))
    assert recording.status == "FAILED"
    assert recording.cause is not None
    assert recording.cause.name == error
    assert [(c.service, c.operation, c.kind) for c in recording.failed_calls] == [
        ("dynamodb", "PutItem", kind)
    ]
    assert recording.virtual_seconds == seconds


@pytest.mark.parametrize("kind", KINDS)
def test_the_client_retries_by_itself_and_sleeps_in_virtual_time(kind: str) -> None:
    began = time.perf_counter()
    event = outage("dynamodb", lasts=HOUR, kind=kind)
    recording = run(scenario(writes_once, event, event="three times"))
    assert recording.status == "FAILED"
    assert len(recording.failed_calls) == 3
    slept = recording.virtual_seconds - (60 if kind == "hanging" else 0)
    assert 0 < slept < 5
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_retries_for_longer_than_the_outage_succeeds(kind: str) -> None:
    event = outage("dynamodb", lasts=timedelta(microseconds=1), kind=kind)
    recording = run(scenario(writes_once, event, event="three times"))
    assert recording.result == "only"
    assert len(recording.failed_calls) == 1


def test_the_oldest_retry_mode_makes_its_ten_attempts_at_a_table() -> None:
    event = outage("dynamodb", lasts=HOUR, kind="refused")
    recording = run(scenario(writes_once, event, event="legacy"))
    assert len(recording.failed_calls) == 10
    assert recording.virtual_seconds > 1


def test_one_seed_gives_one_history() -> None:
    events = outage("dynamodb", lasts=10 * MINUTE, kind="hanging")
    one, other = (run(scenario(persistent, events), seed=7) for _ in range(2))
    assert one == other
    assert one.failed_calls == other.failed_calls != []


def test_a_client_that_has_spent_its_retries_has_them_again_in_the_next_run() -> None:
    client = boto3.client("dynamodb", config=THREE_TIMES)

    @durable_execution
    def spends_its_retries(_: Any, context: DurableContext) -> None:
        def put_often(_: Any) -> None:
            for _ in range(60):
                with suppress(ClientError):
                    put("never", client)

        context.step(put_often, name="put often")

    one, other = (run(scenario(spends_its_retries, outage("dynamodb", lasts=HOUR))) for _ in "ab")
    assert 60 < len(one.failed_calls) < 3 * 60, "it retried to the end"
    assert len(other.failed_calls) == len(one.failed_calls)


def test_a_poll_of_a_queue_does_not_sleep_in_real_time_when_the_client_may_not_retry() -> None:
    # botocore sleeps by itself before it gives up on a long poll.
    @durable_execution
    def polls(_: Any, context: DurableContext) -> int:
        def poll(_: Any) -> int:
            failures = 0
            for _ in range(120):
                try:
                    sqs.receive_message(QueueUrl="https://sqs.us-east-1.amazonaws.com/1/q")
                except ClientError:
                    failures += 1
            return failures

        return context.step(poll, name="poll")

    began = time.perf_counter()
    recording = run(scenario(polls, outage("sqs", lasts=24 * HOUR)))
    assert recording.result == 120
    assert recording.virtual_seconds > 60
    assert time.perf_counter() - began < 10


# -- from when to when --------------------------------------------------------------------------


@durable_execution
def waits_between(event: Any, context: DurableContext) -> list[str]:
    context.step(lambda _: put("first"), name="first", config=EVERY_MINUTE)
    context.wait(Duration.from_hours(1), name="an hour")
    context.step(lambda _: put("second"), name="second", config=EVERY_MINUTE)
    return stored_in_step(context)


def stored_in_step(context: DurableContext) -> list[str]:
    return context.step(lambda _: stored(), name="read", config=EVERY_MINUTE)


@pytest.mark.parametrize(
    ("after", "lasts", "failed"),
    [(SECOND, HOUR - SECOND, 0), (SECOND, HOUR, 1), (HOUR, MINUTE, 1), (HOUR + SECOND, HOUR, 0)],
)
def test_an_outage_begins_after_its_time_and_ends_at_its_end(
    after: timedelta, lasts: timedelta, failed: int
) -> None:
    recording = run(scenario(waits_between, outage("dynamodb", after=after, lasts=lasts)))
    assert recording.result == ["first", "second"]
    assert len(recording.failed_calls) == failed


def test_an_outage_from_an_operation_on_spares_what_came_before_at_the_same_moment() -> None:
    recording = run(
        scenario(persistent, outage("dynamodb", from_operation="second", lasts=3 * MINUTE))
    )
    assert recording.operation("first").attempts == 1
    assert recording.operation("second").attempts == 4


def test_an_outage_can_begin_some_time_after_an_operation_started_or_name_it_by_its_id() -> None:
    identifier = run(scenario(waits_between)).operation("an hour").id
    event = outage("dynamodb", from_operation=identifier, after=HOUR, lasts=2 * MINUTE)
    recording = run(scenario(waits_between, event))
    assert recording.operation("second").attempts == 3


def test_an_outage_from_an_operation_that_never_starts_is_a_mistake() -> None:
    event = outage("dynamodb", from_operation="secnod", lasts=MINUTE)
    with pytest.raises(ScenarioError, match="'secnod', which the run never starts"):
        run(scenario(persistent, event))


# -- whose calls fail ---------------------------------------------------------------------------


def endpoint(event: Any, _: Any) -> str:
    try:
        put(event["key"])
        lambda_client.send_durable_execution_callback_success(
            CallbackId=event["id"], Result=b'"yes"'
        )
    except (ClientError, EndpointConnectionError, ReadTimeoutError) as error:
        return type(error).__name__
    return "sent"


@durable_execution
def asks(_: Any, context: DurableContext) -> str:
    callback = context.create_callback("question", CallbackConfig(Duration.from_days(1)))
    CALLBACKS.append(callback.callback_id)
    return str(callback.result())


CALLBACKS: list[str] = []


def send(replies: list[Any]) -> None:
    """Send an answer to the endpoint, as an outside sender does."""
    put(f"by the sender {len(replies)}")
    payload = json.dumps({"key": f"by the endpoint {len(replies)}", "id": CALLBACKS[-1]})
    response = lambda_client.invoke(FunctionName="endpoint", Payload=payload.encode())
    replies.append(json.loads(response["Payload"].read()))


SENDS = [ExternalEvent(n * HOUR, "the sender sends", send) for n in (1, 2)]


@pytest.mark.parametrize(
    ("service", "reply", "rows"),
    [
        ("dynamodb", "ProvisionedThroughputExceededException", ["by the endpoint 1"]),
        ("lambda", "TooManyRequestsException", ["by the endpoint 0", "by the endpoint 1"]),
    ],
)
def test_a_function_that_a_sender_invokes_is_out_and_the_sender_is_not(
    service: str, reply: str, rows: list[str]
) -> None:
    seen: list[list[str]] = []
    recording = run(
        scenario(
            asks,
            outage(service, after=MINUTE, lasts=HOUR),
            *SENDS,
            functions={"endpoint": endpoint},
            invariant=lambda *_: seen.append(stored()),
        )
    )
    assert recording.result == '"yes"'
    assert recording.virtual_seconds == 2 * 3600
    assert recording.world == [reply, "sent"]
    assert len(recording.failed_calls) == 1
    assert seen == [[*rows, "by the sender 0", "by the sender 1"]]


def test_the_checkpoints_of_the_sdk_are_not_calls_to_a_dependency() -> None:
    @durable_execution
    def calls_lambda(_: Any, context: DurableContext) -> list[str]:
        def call(_: Any) -> list[str]:
            calls = (
                lambda: lambda_client.checkpoint_durable_execution(
                    DurableExecutionArn=ARN, CheckpointToken="invalid"
                ),
                lambda: lambda_client.get_durable_execution(DurableExecutionArn=ARN),
            )
            return [code_of(one) for one in calls]

        return context.step(call, name="call")

    recording = run(scenario(calls_lambda, outage("lambda", lasts=HOUR)))
    assert recording.result == ["InvalidParameterValueException", "TooManyRequestsException"]
    assert [call.operation for call in recording.failed_calls] == ["GetDurableExecution"]


def test_what_the_world_asks_of_aws_while_it_answers_a_call_does_not_fail() -> None:
    @contextmanager
    def mirrored() -> Iterator[list[str]]:
        mirror: list[str] = []

        def copy(**_: Any) -> None:
            legacy.put_item(TableName="t", Item={"id": {"S": "copy"}})
            mirror.append("copied")

        with table():
            events = kms.meta.events
            events.register("before-call.kms.Encrypt", copy)
            try:
                yield mirror
            finally:
                events.unregister("before-call.kms.Encrypt", copy)

    @durable_execution
    def encrypts(_: Any, context: DurableContext) -> str:
        def encrypt(_: Any) -> str:
            try:
                kms.encrypt(KeyId="missing", Plaintext=b"x")
            except ClientError as error:
                return error.response["Error"]["Code"]
            return "encrypted"

        return context.step(encrypt, name="encrypt")

    recording = run(
        Scenario(handler=encrypts, world=mirrored, external_events=[outage("dynamodb", lasts=HOUR)])
    )
    assert recording.world == ["copied"]
    assert recording.failed_calls == []


def test_a_service_that_is_not_named_works() -> None:
    recording = run(scenario(persistent, outage("kms", "sesv2", lasts=24 * HOUR)))
    assert recording.result == ["first", "second"]
    assert recording.failed_calls == []


@durable_execution
def writes_in_threads(event: Any, context: DurableContext) -> list[str]:
    def write(_: Any) -> list[str]:
        results: list[str] = []

        def one(key: str) -> None:
            try:
                results.append(put(key))
            except ClientError as error:
                results.append(error.response["Error"]["Code"])

        thread = threading.Thread(target=one, args=("a",))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(one, "b").result()
        return results

    return context.step(write, name="write")


def test_calls_of_threads_that_a_step_starts_fail_too() -> None:
    recording = run(scenario(writes_in_threads, outage("dynamodb", lasts=HOUR)))
    assert recording.result == ["ProvisionedThroughputExceededException"] * 2
    assert run(scenario(writes_in_threads)).result == ["a", "b"]


# -- every protocol -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "call", "code", "status"),
    [
        ("kms", ("encrypt", {"KeyId": "k", "Plaintext": b"x"}), "ThrottlingException", 400),
        ("sqs", ("list_queues", {}), "RequestThrottled", 400),
        ("secretsmanager", ("list_secrets", {}), "ThrottlingException", 400),
        ("sesv2", ("get_account", {}), "TooManyRequestsException", 429),
        ("lambda", ("list_functions", {}), "TooManyRequestsException", 429),
        ("ses", ("get_send_quota", {}), "Throttling", 400),
        ("sns", ("list_topics", {}), "Throttled", 429),
        ("s3", ("list_buckets", {}), "SlowDown", 503),
        ("ec2", ("describe_regions", {}), "RequestLimitExceeded", 503),
        ("route53", ("list_hosted_zones", {}), "ThrottlingException", 400),
        ("eventbridgev2", ("list_event_buses", {}), "ThrottlingException", 429),
    ],
)
@pytest.mark.parametrize("kind", every(2, ["throttled", "server error"]))
def test_each_service_says_it_in_its_own_words(
    service: str, call: tuple[str, dict[str, Any]], code: str, status: int, kind: str
) -> None:
    client = boto3.client(service, config=ONCE)  # type: ignore[call-overload]
    operation, parameters = call
    expected = (code, status) if kind == "throttled" else ("ServiceUnavailable", 503)

    @durable_execution
    def calls(_: Any, context: DurableContext) -> list[Any]:
        def attempt(_: Any) -> list[Any]:
            try:
                getattr(client, operation)(**parameters)
            except ClientError as error:
                metadata = error.response["ResponseMetadata"]
                return [error.response["Error"]["Code"], metadata["HTTPStatusCode"]]
            return []

        return context.step(attempt, name="call")

    recording = run(scenario(calls, outage(service, lasts=HOUR, kind=kind)))
    assert tuple(recording.result) == expected


def test_a_call_that_fails_is_not_a_side_effect() -> None:
    observed = observe(scenario(persistent, outage("dynamodb", lasts=5 * MINUTE)), seed=0)
    assert len(observed.recording.failed_calls) == 5
    assert [(effect.step, count) for effect, count in observed.effects.items()] == [
        ("first", 1),
        ("second", 1),
    ]


# -- in other processes -------------------------------------------------------------------------


@pytest.mark.prove
def test_an_outage_reaches_the_processes_in_which_cold_runs_the_invocations() -> None:
    # If it did not, those runs would need fewer attempts than the reference run.
    events = outage("dynamodb", lasts=2 * MINUTE, kind="hanging")
    report = verify(scenario(persistent, events), only=["cold"])
    assert [finding.message for finding in report.proved] == []
    assert report.control == []
    assert report.experiments["cold"].state == "made"
    assert run(scenario(persistent, events)).operation("first").attempts == 3


# -- mistakes -----------------------------------------------------------------------------------

OUTAGE: Any = outage


@pytest.mark.parametrize(
    ("arguments", "named", "message"),
    [
        (("dynamo",), {"lasts": MINUTE}, "for example 'dynamodb'"),
        (("SES V2",), {"lasts": MINUTE}, "for example 'sesv2'"),
        (("vendor",), {"lasts": MINUTE}, r"as in boto3\.client\(NAME\)$"),
        ((), {"lasts": MINUTE}, r'write outage\("dynamodb", lasts=…\)'),
        (("kms",), {"lasts": timedelta(0)}, "lasts of an outage must be a positive timedelta"),
        (("kms",), {"lasts": 60}, "lasts of an outage must be a positive timedelta"),
        (("kms",), {"lasts": MINUTE, "after": -MINUTE}, "after of an outage must be a timedelta"),
        (("kms",), {"lasts": MINUTE, "kind": "slow"}, "kind must be one of 'throttled', 'server"),
        (("kms",), {"lasts": MINUTE, "from_operation": 3}, "must be the path of an operation"),
    ],
)
def test_a_mistake_in_an_outage_is_one_line_that_says_what_to_write(
    arguments: Any, named: Any, message: str
) -> None:
    with pytest.raises(ScenarioError, match=message) as raised:
        OUTAGE(*arguments, **named)
    assert "\n" not in str(raised.value)


def test_the_official_runner_has_no_outages() -> None:
    with pytest.raises(UnsupportedByEngine, match="has no outages"):
        official.run(scenario(persistent, outage("dynamodb", lasts=MINUTE)))
