"""What a handler does to its machine, and to what listens there, in steps and outside of them."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from dacapo.verify.findings import Certainty, Code, ExperimentName
from dacapo.verify.observe.effects import Effect
from dacapo.verify.observe.run import observe
from dacapo.verify.verifier import verify
from tests.depth import every

numbers = count()
FOLDER = Path(tempfile.gettempdir())
PROVED = (Code.EFFECT_OUTSIDE_STEP, Certainty.PROVED)


class Extension(BaseHTTPRequestHandler):
    """Answers every request, as the extension for parameters and secrets does."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"secret")

    do_POST = do_GET  # noqa: N815 - the name that the server looks for

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def extension() -> Iterator[None]:
    with HTTPServer(("127.0.0.1", 0), Extension) as server:
        os.environ["EXTENSION"] = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield
        server.shutdown()
        thread.join()


def request(method: str) -> None:
    url = f"{os.environ['EXTENSION']}/secretsmanager/get?secretId=key"
    with urllib.request.urlopen(urllib.request.Request(url, method=method)) as response:
        response.read()


def post(**headers: str) -> None:
    request = urllib.request.Request(os.environ["EXTENSION"], data=b"order 17", headers=headers)
    with urllib.request.urlopen(request) as response:
        response.read()


def post_something_else_each_time() -> None:
    data = str(next(numbers)).encode()
    with urllib.request.urlopen(os.environ["EXTENSION"], data=data) as response:
        response.read()


def datagram(port: int) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as connection, suppress(OSError):
        connection.sendto(b"orders:1|c", ("127.0.0.1", port))


def insert_a_row() -> None:
    with closing(sqlite3.connect(FOLDER / "orders.db")) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS orders (id)")
        database.execute("INSERT INTO orders VALUES (?)", (17,))


def read_rows_in_memory() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE orders (id)")


def write_a_temporary_file() -> None:
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("x")


def spawn() -> None:
    os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {}), 0)


ACTIONS: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    "a file": (lambda: (FOLDER / "report.txt").write_text("x"), ("open",)),
    "a temporary file": (write_a_temporary_file, ("open", "os.remove")),
    "a folder": (lambda: (FOLDER / "reports").mkdir(exist_ok=True), ("os.mkdir",)),
    "a process": (
        lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        ("subprocess.Popen",),
    ),
    "a command": (lambda: os.system("true"), ("os.system",)),
    "a spawned process": (spawn, ("os.posix_spawn",)),
    "a database": (insert_a_row, ("sqlite3:CREATE", "sqlite3:INSERT")),
}
EACH = pytest.mark.parametrize("name", every(9, ACTIONS))


def scenario_of(action: Callable[[], object], *, in_step: bool) -> Scenario:
    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        if in_step:
            context.step(lambda _: bool(action()), name="do it")
        else:
            action()
        context.wait(Duration.from_days(1), name="a day")

    return Scenario(handler=handler, world=extension)


def codes_of(action: Callable[[], object], *, in_step: bool = False) -> set[tuple[Code, Certainty]]:
    scenario = scenario_of(action, in_step=in_step)
    report = verify(scenario, only=[ExperimentName.REPLAYED])
    assert report.experiments[ExperimentName.REPLAYED].runs > 2
    codes = {(finding.code, finding.certainty) for finding in report.findings}
    return {one for one in codes if one[0] is not Code.ENVIRONMENT_OUTSIDE_STEP}


@EACH
def test_what_the_body_does_to_its_machine_is_proved(name: str) -> None:
    action, _ = ACTIONS[name]
    assert PROVED in codes_of(action)


@EACH
def test_what_a_step_does_to_its_machine_is_an_effect_of_the_step(name: str) -> None:
    action, whats = ACTIONS[name]
    scenario = scenario_of(action, in_step=True)
    run, other = observe(scenario, 0), observe(scenario, 0)
    assert set(whats) <= {effect.what for effect in run.effects}
    assert {effect.step for effect in run.effects} == {"do it"}
    assert run.effects == other.effects


@EACH
def test_what_a_step_does_to_its_machine_is_no_finding(name: str) -> None:
    action, _ = ACTIONS[name]
    assert codes_of(action, in_step=True) == set()


def test_a_request_that_only_reads_from_this_machine_is_suspected() -> None:
    assert codes_of(lambda: request("GET")) == {(Code.QUERY_OUTSIDE_STEP, Certainty.SUSPECTED)}


def test_a_request_that_changes_something_on_this_machine_is_proved() -> None:
    assert codes_of(lambda: request("POST")) == {PROVED}


@pytest.mark.parametrize("port", [2000, 8125])
def test_telemetry_is_no_finding(port: int) -> None:
    assert codes_of(lambda: datagram(port)) == set()


@pytest.mark.prove
def test_a_datagram_to_something_else_is_proved() -> None:
    assert codes_of(lambda: datagram(9)) == {PROVED}


@pytest.mark.parametrize("action", [read_rows_in_memory, lambda: sys.stdout.write("hello")])
def test_what_leaves_nothing_behind_is_no_finding(action: Callable[[], object]) -> None:
    assert codes_of(action) == set()


def codes_of_crashes(action: Callable[[], object]) -> list[tuple[Code, Certainty]]:
    scenario = scenario_of(action, in_step=True)
    report = verify(scenario, only=[ExperimentName.CRASHED])
    assert report.experiments[ExperimentName.CRASHED].runs > 2
    return [(finding.code, finding.certainty) for finding in report.findings]


@pytest.mark.prove
def test_a_request_in_a_step_that_a_crash_may_repeat_is_a_lint() -> None:
    assert codes_of_crashes(post) == [(Code.EFFECT_MAY_REPEAT, Certainty.LINT)]


@pytest.mark.prove
def test_a_request_in_a_step_with_an_idempotency_key_is_no_finding() -> None:
    assert codes_of_crashes(lambda: post(**{"Idempotency-Key": "17"})) == []


@pytest.mark.prove
def test_a_request_in_a_step_that_is_another_one_after_a_crash_is_proved() -> None:
    codes = codes_of_crashes(post_something_else_each_time)
    assert (Code.EFFECT_REPEATED, Certainty.PROVED) in codes


def test_a_body_belongs_to_the_request_that_it_follows() -> None:
    alone, followed = posted("POST"), posted("POST", "GET")
    assert [effect.what for effect in followed] == ["http:POST"]
    assert followed == alone


def posted(*methods: str) -> list[Effect]:
    """Return the effects of a step that sends these requests, with bodies, in one connection."""

    def send(_: StepContext) -> None:
        host = os.environ["EXTENSION"].removeprefix("http://")
        with closing(HTTPConnection(host)) as connection:
            for method in methods:
                connection.request(method, "/search", body=method.encode())
                connection.getresponse().read()

    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        context.step(send, name="send")

    return list(observe(Scenario(handler=handler, world=extension), 0).effects)
