"""Fetching histories: what is listed, read, left out, redacted, saved, and read again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dacapo import fail_next_calls
from dacapo.errors import HistoryError
from dacapo.history import exports, fetching, files
from dacapo.history.exports import Data, Folder, Identity
from dacapo.history.fetching import CALLS, READS_PER_SECOND, Selection
from dacapo.scenario import START
from dacapo.simulation import boto
from dacapo.simulation.simulation import Simulation
from tests.lab.api import callback_id, client, running, start_execution

APPROVALS = Selection("approval")
SECRET = "card 4111-1111"
boto.share_models()  # most of the time of a test is making its client


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    with running() as simulation:
        yield simulation


def start(simulation: Simulation, count: int, function: str = "approval") -> None:
    for number in range(count):
        start_execution(simulation, function, {"note": SECRET}, f"order-{number}")
        simulation.clock.sleep(1)


def fetch(
    path: Path, selection: Selection = APPROVALS, data: Data = Data.ALL, redact: Any = None
) -> fetching.Fetched:
    return fetching.fetch(fetching.connect(), selection, Folder(path, data, redact))


def names(path: Path) -> list[str]:
    return sorted(file.name.split(".")[2] for file in path.iterdir())


class Watched:
    """A client that counts its attempts, and the virtual times at which it sends them."""

    def __init__(self, simulation: Simulation) -> None:
        self.client = fetching.connect()
        self.attempts: list[tuple[str, float]] = []
        self._simulation = simulation
        self.client.meta.events.register_last("before-send.lambda", self._count)

    def _count(self, event_name: str, **_: Any) -> None:
        elapsed = (self._simulation.clock.now - START).total_seconds()
        self.attempts.append((event_name.rpartition(".")[2], elapsed))

    @property
    def calls(self) -> Counter[str]:
        return Counter(name for name, _ in self.attempts)


def test_a_file_holds_one_execution_with_what_says_whose_it_is(
    simulation: Simulation, tmp_path: Path
) -> None:
    start(simulation, 1)
    fetched = fetch(tmp_path)
    assert (fetched.listed, fetched.saved, fetched.present) == ({"1": 1}, 1, 0)
    (file,) = tmp_path.iterdir()
    content = json.loads(file.read_text())
    arn = content["Execution"]["DurableExecutionArn"]
    assert (content["FunctionName"], content["Version"], content["Data"]) == (
        "approval",
        "1",
        "all",
    )
    assert content["Execution"]["Status"] == "RUNNING"
    assert file.name == f"approval.1.order-0.{arn.rpartition('/')[2]}.json"


def test_the_check_reads_what_was_fetched_with_its_own_arn(
    simulation: Simulation, tmp_path: Path
) -> None:
    start(simulation, 1)
    fetch(tmp_path)
    (file,) = tmp_path.iterdir()
    log = files.load(file)
    (execution,) = simulation.service.executions.values()
    assert log.arn == execution.arn
    assert [event.type for event in log.events] == [e.type for e in execution.log.events]
    assert log.states[0].operation_id == execution.arn.rpartition("/")[2]


def test_lists_and_histories_are_read_to_their_last_page(
    simulation: Simulation, tmp_path: Path
) -> None:
    start(simulation, 5)
    watched = Watched(simulation)
    fetching.fetch(watched.client, APPROVALS, Folder(tmp_path, Data.ALL), page_items=2)
    assert watched.calls["ListDurableExecutionsByFunction"] == 3
    assert watched.calls["GetDurableExecutionHistory"] == 5 * 3  # of six events each
    (execution, *_) = simulation.service.executions.values()
    histories = [json.loads(file.read_text())["Events"] for file in tmp_path.iterdir()]
    assert [len(events) for events in histories] == [len(execution.log.events)] * 5


def test_no_second_has_more_reads_than_the_quota_allows(
    simulation: Simulation, tmp_path: Path
) -> None:
    start(simulation, 12)
    watched = Watched(simulation)
    fetching.fetch(watched.client, APPROVALS, Folder(tmp_path, Data.ALL))
    times = [time for _, time in watched.attempts]
    assert len(times) == 1 + 2 * 12 > READS_PER_SECOND
    assert max(sum(t <= other < t + 1 for other in times) for t in times) <= READS_PER_SECOND


@pytest.mark.parametrize("operation", CALLS)
def test_a_throttled_call_is_repeated_until_it_succeeds(
    simulation: Simulation, tmp_path: Path, operation: str
) -> None:
    start(simulation, 1)
    watched = Watched(simulation)
    fail_next_calls(operation, "TooManyRequestsException", 4)
    assert fetching.fetch(watched.client, APPROVALS, Folder(tmp_path, Data.ALL)).saved == 1
    assert watched.calls[operation] == 5


def test_endless_throttling_ends_with_one_line_and_loses_nothing(
    simulation: Simulation, tmp_path: Path
) -> None:
    start(simulation, 2)
    watched = Watched(simulation)

    def throttle(_: str) -> None:
        fail_next_calls("GetDurableExecution", "TooManyRequestsException", fetching.ATTEMPTS)

    with pytest.raises(
        HistoryError, match=r"throttles GetDurableExecution,.*; 1 of 2 are saved"
    ) as e:
        fetching.fetch(watched.client, APPROVALS, Folder(tmp_path, Data.ALL), on_done=throttle)
    assert "\n" not in str(e.value)
    assert watched.calls["GetDurableExecution"] == 1 + fetching.ATTEMPTS
    assert names(tmp_path) == ["order-1"]
    fetched = fetch(tmp_path)
    assert (fetched.saved, fetched.present) == (1, 1)
    assert names(tmp_path) == ["order-0", "order-1"]


def test_what_is_there_is_not_read_again(simulation: Simulation, tmp_path: Path) -> None:
    start(simulation, 3)
    fetch(tmp_path)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    watched = Watched(simulation)
    fetched = fetching.fetch(watched.client, APPROVALS, Folder(tmp_path, Data.ALL))
    assert (fetched.saved, fetched.present) == (0, 3)
    assert watched.calls == {"ListDurableExecutionsByFunction": 1}
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize("damage", [lambda text: text[:200], lambda _: "[" * 100_000])
def test_a_file_that_is_damaged_does_not_count(
    simulation: Simulation, tmp_path: Path, damage: Callable[[str], str]
) -> None:
    start(simulation, 1)
    fetch(tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_text()
    file.write_text(damage(whole))
    assert fetch(tmp_path).saved == 1
    assert file.read_text() == whole


def test_a_file_that_cannot_be_read_or_written_is_one_line(
    simulation: Simulation, tmp_path: Path
) -> None:
    start(simulation, 2)
    fetch(tmp_path)
    first, second = sorted(tmp_path.iterdir())
    second.unlink()
    second.mkdir()
    with pytest.raises(HistoryError, match=r"order-1.*json can't be read: Is a directory"):
        fetch(tmp_path)
    identity = Identity.of(json.loads(first.read_text())["Execution"]["DurableExecutionArn"])
    first.unlink()
    first.mkdir()
    with pytest.raises(HistoryError, match=r"order-0.*json can't be written: Is a directory"):
        Folder(tmp_path, Data.ALL).save(identity, {}, [])
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_an_interruption_while_writing_leaves_no_file_behind(
    simulation: Simulation, tmp_path: Path
) -> None:
    start(simulation, 2)
    texts = 0

    def interrupt(text: str, operation: str) -> str:
        nonlocal texts
        texts += 1
        if texts == 4:  # in the second execution: each has two texts, its input and a result
            raise KeyboardInterrupt
        return text

    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path, data=Data.REDACTED, redact=interrupt)
    assert names(tmp_path) == ["order-1"]
    assert fetch(tmp_path, data=Data.REDACTED, redact=lambda text, _: text).saved == 1


def test_only_executions_with_a_chosen_status_are_fetched(
    simulation: Simulation, tmp_path: Path
) -> None:
    start(simulation, 2)
    (first, _) = simulation.service.executions.values()
    client.stop_durable_execution(DurableExecutionArn=first.arn)
    assert fetch(tmp_path / "running").saved == 1
    both = Selection("approval", statuses=("RUNNING", "STOPPED"))
    assert fetch(tmp_path / "both", both).saved == 2


def test_only_executions_that_started_later_are_fetched(
    simulation: Simulation, tmp_path: Path
) -> None:
    start(simulation, 4)
    fetch(tmp_path, Selection("approval", since=START + timedelta(seconds=1.5)))
    assert names(tmp_path) == ["order-2", "order-3"]


def start_on(version: str, count: int) -> None:
    for number in range(count):
        client.invoke(
            FunctionName="approval",
            Qualifier=version,
            InvocationType="Event",
            Payload=b"{}",
            DurableExecutionName=f"v{version.strip('$')}-{number}",
        )


def test_a_sample_has_so_many_of_each_version(simulation: Simulation, tmp_path: Path) -> None:
    start_on("1", 5)
    start_on("$LATEST", 3)
    fetched = fetch(tmp_path, Selection("approval", sample=2))
    assert fetched.listed == {"1": 5, "$LATEST": 3}
    assert names(tmp_path) == ["v1-0", "v1-4", "vLATEST-0", "vLATEST-2"]


def test_a_sample_goes_on_with_what_is_there(simulation: Simulation, tmp_path: Path) -> None:
    start_on("1", 5)
    fetch(tmp_path, Selection("approval", sample=2))
    before = names(tmp_path)
    start_on("1", 9)  # four more
    fetched = fetch(tmp_path, Selection("approval", sample=2))
    assert fetched.listed == {"1": 9}
    assert (fetched.saved, fetched.present, names(tmp_path)) == (0, 2, before)
    fetch(tmp_path, Selection("approval", sample=3))
    assert len(names(tmp_path)) == 3


def test_a_version_limits_what_is_fetched(simulation: Simulation, tmp_path: Path) -> None:
    start_on("1", 1)
    start_on("$LATEST", 1)
    fetch(tmp_path, Selection("approval", "$LATEST"))
    assert names(tmp_path) == ["vLATEST-0"]


def test_an_execution_that_is_deleted_before_it_is_read_is_counted(
    simulation: Simulation, tmp_path: Path
) -> None:
    start(simulation, 2)
    (first, _) = simulation.service.executions.values()

    def delete(_: int) -> None:
        client.stop_durable_execution(DurableExecutionArn=first.arn)
        client.delete_durable_execution(DurableExecutionArn=first.arn)

    folder = Folder(tmp_path, Data.ALL)
    fetched = fetching.fetch(fetching.connect(), APPROVALS, folder, on_chosen=delete)
    assert (fetched.chosen, fetched.saved, fetched.gone) == (2, 1, 1)
    assert names(tmp_path) == ["order-1"]


def answered(simulation: Simulation) -> str:
    """Play an execution in which an external system sends an error; return its callback ID."""
    execution = start_execution(simulation, "approval", {"note": SECRET}, "order")
    identifier = callback_id(execution)
    client.send_durable_execution_callback_failure(
        CallbackId=identifier,
        Error={"ErrorMessage": SECRET, "ErrorData": SECRET, "StackTrace": [SECRET]},
    )
    while simulation.clock.run_next():
        pass
    assert execution.execution_status == "SUCCEEDED"
    return identifier


ENDED = Selection("approval", statuses=("SUCCEEDED",))


def test_without_data_a_file_has_neither_payload_nor_error_nor_callback_id(
    simulation: Simulation, tmp_path: Path
) -> None:
    identifier = answered(simulation)
    fetch(tmp_path / "all", ENDED)
    (whole,) = (tmp_path / "all").iterdir()
    assert SECRET in whole.read_text()
    assert identifier in whole.read_text()
    fetch(tmp_path / "shape", ENDED, Data.NONE)
    (shape,) = (tmp_path / "shape").iterdir()
    for data in (SECRET, identifier, "Payload", "Error", "Result", "Input", "CallbackId"):
        assert data not in shape.read_text()
    histories = [json.loads(file.read_text())["Events"] for file in (whole, shape)]
    types, others = ([(e["EventType"], e.get("Name")) for e in events] for events in histories)
    assert types == others


def test_a_history_without_data_is_refused_by_the_check_in_one_line(
    simulation: Simulation, tmp_path: Path
) -> None:
    start(simulation, 1)
    fetch(tmp_path, data=Data.NONE)
    (file,) = tmp_path.iterdir()
    with pytest.raises(HistoryError, match="holds no payloads: fetch it with its data"):
        files.load(file)


def test_a_redaction_replaces_every_text_and_every_callback_id(
    simulation: Simulation, tmp_path: Path
) -> None:
    identifier = answered(simulation)
    seen: dict[str, set[str]] = {}

    def redact(text: str, operation: str) -> str:
        seen.setdefault(operation, set()).add(text)
        return text.replace(SECRET, "hidden")

    fetch(tmp_path, ENDED, Data.REDACTED, redact)
    (file,) = tmp_path.iterdir()
    assert SECRET not in file.read_text()
    assert identifier not in file.read_text()
    assert file.read_text().count("hidden") >= 4
    assert json.dumps({"note": SECRET}) in seen["order"]
    assert SECRET in seen["approval create callback id"]
    assert files.load(file).states


@pytest.mark.parametrize(
    ("redact", "message"),
    [
        (lambda text, _: 1 / 0, "raised ZeroDivisionError for a text of operation 'order-0'"),
        (lambda text, _: {"a": text}, "returned a dict for operation 'order-0', not a str"),
    ],
    ids=["raises", "returns a dict"],
)
def test_a_redaction_that_fails_writes_nothing_and_quotes_nothing(
    simulation: Simulation, tmp_path: Path, redact: Any, message: str
) -> None:
    start(simulation, 1)
    with pytest.raises(HistoryError, match=message) as error:
        fetch(tmp_path, data=Data.REDACTED, redact=redact)
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("first", list(Data))
def test_a_directory_never_mixes_histories_with_more_and_with_less_data(
    simulation: Simulation, tmp_path: Path, first: Data
) -> None:
    start(simulation, 1)
    redact = {Data.REDACTED: lambda text, _: "0"}
    fetch(tmp_path, data=first, redact=redact.get(first))
    (file,) = tmp_path.iterdir()
    before = file.read_text()
    for other in set(Data) - {first}:
        with pytest.raises(HistoryError, match="give another directory"):
            fetch(tmp_path, data=other, redact=redact.get(other))
    assert file.read_text() == before


def test_a_new_member_of_an_event_is_not_kept_without_data() -> None:
    event = {
        "EventType": "StepStarted",
        "EventId": 1,
        "Later": SECRET,
        "StepStartedDetails": {"Later": SECRET, "RetryDetails": {"CurrentAttempt": 1}},
    }
    assert exports.shape_of(event) == {
        "EventType": "StepStarted",
        "EventId": 1,
        "StepStartedDetails": {"RetryDetails": {"CurrentAttempt": 1}},
    }


def test_the_latest_version_has_a_file_name_without_special_characters() -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:pay:$LATEST/durable-execution/n-1/id_2"
    assert Identity.of(arn).file_name == "pay.LATEST.n-1.id_2.json"


def test_an_arn_with_a_path_in_it_is_not_a_file_name() -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:pay:1/durable-execution/../../etc"
    with pytest.raises(HistoryError, match="not the ARN of a durable execution"):
        Identity.of(arn)
