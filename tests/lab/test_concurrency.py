"""Branches are concurrent in virtual time, and one seed gives one interleaving."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import (
    CompletionConfig,
    Duration,
    MapConfig,
    ParallelConfig,
    WaitForCallbackConfig,
)
from moto import mock_aws

from dacapo import Code, Recording, Scenario, run, succeed, verify
from dacapo.verify.findings import ExperimentName

SEEDS = range(12)
MINUTE = timedelta(minutes=1)


def length(recording: Recording) -> timedelta:
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.ended is not None
    return recording.ended - recording.started


@durable_execution
def sleepers(event: Any, context: DurableContext) -> list[Any]:
    def branch(child: DurableContext, seconds: int, index: int, _: Any) -> int:
        child.step(lambda _: time.sleep(seconds), name="sleep")  # virtual time
        return index

    config: MapConfig[int] = MapConfig(
        max_concurrency=event.get("limit"),
        completion_config=CompletionConfig(min_successful=event.get("enough")),
    )
    return context.map(event["seconds"], branch, name="sleepers", config=config).get_results()


@pytest.mark.parametrize("seed", SEEDS)
def test_sleeping_branches_overlap(seed: int) -> None:
    recording = run(Scenario(handler=sleepers, event={"seconds": [240, 240, 240]}), seed=seed)
    assert length(recording) == 4 * MINUTE


def test_max_concurrency_bounds_the_branches_that_have_begun() -> None:
    recording = run(Scenario(handler=sleepers, event={"seconds": [60] * 6, "limit": 2}))
    assert length(recording) == 3 * MINUTE


@pytest.mark.parametrize("seed", SEEDS)
def test_the_branch_that_ends_first_in_virtual_time_wins(seed: int) -> None:
    event = {"seconds": [180, 60, 120], "enough": 1}
    recording = run(Scenario(handler=sleepers, event=event), seed=seed)
    assert recording.result == [1]


def test_a_race_ends_when_its_slowest_loser_does() -> None:
    recording = run(Scenario(handler=sleepers, event={"seconds": [180, 60], "enough": 1}))
    assert length(recording) == 3 * MINUTE
    assert recording.operation("sleepers").length == MINUTE


@pytest.mark.parametrize("seed", SEEDS)
def test_the_losers_of_a_race_begin_in_the_order_of_their_indexes(seed: int) -> None:
    begun: list[int] = []

    @durable_execution
    def race(event: Any, context: DurableContext) -> list[Any]:
        def branch(child: DurableContext, item: int, index: int, _: Any) -> int:
            begun.append(index)
            return child.step(lambda _: item, name="ask")

        enough = CompletionConfig(min_successful=1)
        first: MapConfig[int] = MapConfig(completion_config=enough)
        return context.map([1, 2, 3], branch, name="race", config=first).get_results()

    assert run(Scenario(handler=race), seed=seed).status == "SUCCEEDED"
    assert begun == [0, 1, 2]


@durable_execution
def everything(event: Any, context: DurableContext) -> list[Any]:
    def inner(child: DurableContext, item: int, *_: Any) -> float:
        child.wait(Duration.from_seconds(item), name="wait")
        return child.step(lambda _: random.random(), name="draw")

    def outer(child: DurableContext, item: int, *_: Any) -> list[Any]:
        def flaky(step: Any) -> int:
            if step.attempt < item:
                raise ValueError(item)
            return item

        child.step(flaky, name="flaky")
        answer = child.wait_for_callback(lambda *_: time.sleep(item), name="approval")
        return [answer, *child.map([item, 2], inner, name="inner").get_results()]

    return context.map([1, 2, 3], outer, name="outer").get_results()


def recorded(seed: int) -> str:
    answers = {"approval": [succeed(n, after=n * MINUTE) for n in range(3)]}
    return json.dumps(run(Scenario(handler=everything, answers=answers), seed=seed).to_json())


@pytest.mark.prove
def test_one_seed_gives_one_history_and_another_seed_another() -> None:
    first = {seed: recorded(seed) for seed in range(4)}
    assert first == {seed: recorded(seed) for seed in range(4)}
    assert len(set(first.values())) == 4


@contextmanager
def counter() -> Iterator[Any]:
    with mock_aws():
        table: Any = boto3.resource("dynamodb", "us-east-1").create_table(
            TableName="counter",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        table.put_item(Item={"id": "n", "value": 0})
        yield lambda: int(table.get_item(Key={"id": "n"})["Item"]["value"])


def counting(lock: Any) -> Any:
    @durable_execution
    def counts(event: Any, context: DurableContext) -> None:
        table: Any = boto3.resource("dynamodb", "us-east-1").Table("counter")

        def add(_: Any) -> None:
            with lock:
                value = table.get_item(Key={"id": "n"})["Item"]["value"]
                table.put_item(Item={"id": "n", "value": value + 1})

        context.parallel([lambda child: child.step(add, name="add")] * 2, name="both")

    return counts


class NoLock:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


@contextmanager
def counted() -> Iterator[list[int]]:
    values: list[int] = []
    with counter() as value:
        yield values
        values.append(value())


@pytest.mark.parametrize(
    "lock", [NoLock(), threading.Lock(), threading.RLock()], ids=["no lock", "Lock", "RLock"]
)
def test_an_update_is_lost_under_some_seed_unless_a_lock_is_held(lock: Any) -> None:
    values = {
        run(Scenario(handler=counting(lock), world=counted), seed=seed).world[0] for seed in SEEDS
    }
    assert values == ({1, 2} if isinstance(lock, NoLock) else {2})


@durable_execution
def asks_everyone(event: Any, context: DurableContext) -> list[Any]:
    def branch(child: DurableContext, who: str, *_: Any) -> list[Any]:
        child.step(lambda _: None, name="prepare")
        config = WaitForCallbackConfig(timeout=Duration.from_hours(1))
        return [who, child.wait_for_callback(lambda *_: None, name="approve", config=config)]

    return context.map(["ada", "bob", "cyd"], branch, name="all").get_results()


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_of_one_name_go_to_branches_in_the_order_of_their_indexes(seed: int) -> None:
    answers = {"approve": [succeed("a"), succeed("b"), succeed("c")]}
    recording = run(Scenario(handler=asks_everyone, answers=answers), seed=seed)
    assert recording.result == [["ada", '"a"'], ["bob", '"b"'], ["cyd", '"c"']]


def test_an_answer_can_name_one_branch_by_the_path_of_its_callback() -> None:
    answers = {"all/map-item-1/approve": succeed("b"), "approve": succeed("?")}
    recording = run(Scenario(handler=asks_everyone, answers=answers))
    assert recording.result == [["ada", '"?"'], ["bob", '"b"'], ["cyd", '"?"']]


def test_a_callback_without_a_name_is_answered_by_its_path() -> None:
    @durable_execution
    def unnamed(event: Any, context: DurableContext) -> Any:
        return context.wait_for_callback(lambda *_: None)

    recording = run(Scenario(handler=unnamed, answers={"WaitForCallback": succeed("yes")}))
    assert recording.result == '"yes"'


@pytest.mark.parametrize("seed", SEEDS)
def test_a_branch_draws_the_same_values_in_its_steps_under_every_interleaving(seed: int) -> None:
    @durable_execution
    def draws(event: Any, context: DurableContext) -> list[Any]:
        def branch(child: DurableContext, *_: Any) -> float:
            def draw(_: Any) -> float:
                time.sleep(1)
                return random.random()

            return child.step(draw, name="draw")

        config = ParallelConfig()
        return context.parallel([branch] * 3, name="draws", config=config).get_results()

    from dacapo.service.invocations import Conditions  # noqa: PLC0415
    from dacapo.simulation.runner import run_under  # noqa: PLC0415

    def drawn(branches: int) -> Any:
        scenario = Scenario(handler=draws)
        return run_under(Conditions(), scenario, seed=0, branches=branches).result

    assert drawn(seed) == drawn(seed + 1)
    assert len(set(drawn(seed))) == 3


@pytest.mark.prove
def test_verify_shows_a_lost_update() -> None:
    scenario = Scenario(handler=counting(NoLock()), world=counted)
    report = verify(scenario, only=[ExperimentName.INTERLEAVINGS])
    assert [finding.code for finding in report.proved] == [Code.DIFFERENT_EFFECTS]
    locked = Scenario(handler=counting(threading.Lock()), world=counted)
    assert verify(locked, only=[ExperimentName.INTERLEAVINGS]).findings == []
