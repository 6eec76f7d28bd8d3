"""A run fails closed: no traffic leaves the machine, and no credentials exist to send."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution

from dacapo import NetworkRefused, Scenario, run
from dacapo.process.source_lines import Place
from dacapo.simulation import network_guard

ELSEWHERE = "203.0.113.7"
"""An address reserved for documentation (RFC 5737)."""


def handler_for(action: Callable[[], object]) -> Any:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> str:
        context.step(lambda _: action() and None, name="act")
        return "done"

    return handler


def connect() -> None:
    socket.create_connection((ELSEWHERE, 443))


def connect_and_hide_the_error() -> None:
    with suppress(BaseException):
        connect()


def send_a_datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", (ELSEWHERE, 53))


def resolve_a_name() -> None:
    socket.getaddrinfo("example.com", 443)


def call_aws() -> None:
    boto3.client("sts").get_caller_identity()


@pytest.mark.parametrize(
    "action", [connect, connect_and_hide_the_error, send_a_datagram, resolve_a_name, call_aws]
)
def test_network_access_ends_the_run_and_names_the_line(action: Callable[[], None]) -> None:
    with pytest.raises(NetworkRefused) as refused:
        run(Scenario(handler=handler_for(action)))
    line = action.__code__.co_firstlineno
    lines = {str(Place(__file__, number)) for number in range(line, line + 4)}
    if action is connect_and_hide_the_error:
        lines = {str(Place(__file__, connect.__code__.co_firstlineno + 1))}
    assert any(place in str(refused.value) for place in lines)
    assert "DACAPO_NETWORK=allow" in str(refused.value)


def test_loopback_and_local_sockets_can_be_reached() -> None:
    def talk() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname()).close()
        socket.getaddrinfo("localhost", 80)
        first, second = socket.socketpair()
        first.close()
        second.close()

    assert run(Scenario(handler=handler_for(talk))).result == "done"


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::1%lo", True),
        ("localhost", True),
        (b"localhost", True),
        (None, True),
        ("", True),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("0x7f.1", False),
        (b"\xff", False),
    ],
)
def test_only_loopback_is_local(host: Any, is_loopback: bool) -> None:
    assert network_guard.is_loopback(host) == is_loopback


def set_a_peer() -> None:
    # Connecting a datagram socket sends nothing. It fails on a host without any network.
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect((ELSEWHERE, 53))


def test_nothing_is_refused_outside_a_run() -> None:
    run(Scenario(handler=handler_for(lambda: None)))
    set_a_peer()


def test_allowing_the_network_takes_the_exact_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(network_guard.NETWORK_VARIABLE, "yes please")
    with pytest.raises(NetworkRefused):
        run(Scenario(handler=handler_for(set_a_peer)))
    monkeypatch.setenv(network_guard.NETWORK_VARIABLE, "allow")
    assert run(Scenario(handler=handler_for(set_a_peer))).result == "done"


def credentials_in_a_fresh_process(**environment: str) -> list[str]:
    script = (
        "import dacapo, boto3\n"
        "session = boto3.Session()\n"
        "print(session.get_credentials().access_key, session.region_name)"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=clean | environment,
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    return result.stdout.split()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"AWS_PROFILE": "production"},
        {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-west-1"},
    ],
)
def test_importing_the_lab_replaces_credentials_and_region(environment: dict[str, str]) -> None:
    assert credentials_in_a_fresh_process(**environment) == ["dacapo", "us-east-1"]


@pytest.mark.prove
def test_credentials_are_kept_if_the_network_is_allowed() -> None:
    environment = {
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "eu-west-1",
        network_guard.NETWORK_VARIABLE: "allow",
    }
    assert credentials_in_a_fresh_process(**environment) == ["AKIA", "eu-west-1"]
