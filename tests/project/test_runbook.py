"""Every command, alarm and name in the runbook exists, and no command leaks a callback ID."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from dacapo import Recording, run
from patterns.approval import logic, outbox
from patterns.callbacks import answers
from patterns.event_callback.resolver import CHECK
from patterns.webhook_callback import handler as webhook
from patterns.webhook_callback.messages import Transcript
from scenarios import webhook_callback
from tests.project.template import NESTED, TOP, expanded, of_type, written
from tools import cli_model
from tools.cli_model import Call, Command, InvalidCommand, call_of, commands_in

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
BLOCKS = [
    dedent(text)
    for text in re.findall(r"^ *```sh\n(.*?)^ *```$", RUNBOOK, re.DOTALL | re.MULTILINE)
]
COMMANDS = [command for block in BLOCKS for command in commands_in(block)]
CAMEL_CASE = re.compile(r"\b[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+\b")
HISTORY = "get-durable-execution-history"


def calls_of(operation: str) -> list[tuple[Command, Call]]:
    return [(c, call_of(c)) for c in COMMANDS if c.operation == operation]


def names_in(section: str) -> set[str]:
    """Return the names in a section of all templates: `Resources` or `Outputs`."""
    return {name for folder in [TOP, *NESTED] for name in expanded(folder).get(section, {})}


def alarms() -> set[str]:
    return {name.split("/")[1] for name in of_type("AWS::CloudWatch::Alarm")}


@cache
def answered() -> Recording:
    """Return an execution whose callback was answered."""
    return run(webhook_callback.answered_soon)


@cache
def history() -> list[dict[str, Any]]:
    """Return its history."""
    return [event.to_api() for event in answered().events]


def slugs() -> set[str]:
    """Return the anchors that GitHub derives from the headings."""
    headings = re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: f"{c.service} {c.operation}")
def test_the_cli_and_the_api_accept_every_command(command: Command) -> None:
    call_of(command)


def test_every_command_is_checked() -> None:
    assert len(COMMANDS) == len(re.findall(r"\baws [a-z]+ [a-z-]+", "\n".join(BLOCKS)))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("aws lamda invoke", "no service lamda"),
        ("aws lambda stop-execution", "no operation stop-execution"),
        ("aws lambda get-durable-execution --arn x", "no option --arn"),
        ("aws lambda get-durable-execution", 'Missing required parameter.*"DurableExecutionArn"'),
        ("aws lambda get-durable-execution --durable-execution-arn", "missing value"),
        (f"aws lambda {HISTORY} --durable-execution-arn x y", "takes 0 files"),
        ("aws lambda invoke --function-name f", "takes 1 files"),
        ("aws lambda invoke --function-name f --payload '{' x", "invalid JSON"),
        ("aws lambda invoke --function-name f --invocation-type Later x", "Later is not a valid"),
        ("aws lambda list-durable-executions-by-function --function-name f --statuses RUNNING SLOW",
         "SLOW is not a valid"),
        ("aws lambda stop-durable-execution --durable-execution-arn x --error '{\"Text\": \"\"}'",
         'Unknown parameter in Error: "Text"'),
        ("aws dynamodb scan --table-name t --expression-attribute-values '{\":a\": {\"N\": 1}}'",
         "Invalid type.*:a.N"),
        ("aws sqs receive-message --queue-url q --max-items 1", "no option --max-items"),
        ("aws dynamodb scan --table-name t --query 'Items['", "invalid query"),
        ("aws dynamodb scan --table-name t --output list", "invalid output format"),
    ],
)  # fmt: skip
def test_an_invalid_command_is_reported(text: str, complaint: str) -> None:
    (command,) = commands_in(f"X=$({text} | tail -1)")
    assert command.variable == "X"
    with pytest.raises(InvalidCommand, match=complaint):
        call_of(command)


def test_the_blocks_are_valid_shell() -> None:
    subprocess.run(["bash", "-n"], input="\n".join(BLOCKS), text=True, check=True)


def test_every_variable_is_set_before_it_is_used() -> None:
    known: set[str] = set()
    for block in BLOCKS:
        known |= set(re.findall(r"^\s*(?:export )?([A-Z_]+)=", block, re.MULTILINE))
        assert set(re.findall(r"\$\{?([A-Z_]+)", block)) <= known, block


@pytest.mark.prove
def test_every_name_looked_up_in_the_stack_exists() -> None:
    looked_up = re.findall(r"\$\((output|resource) (\w+)\)", RUNBOOK)
    assert {kind for kind, _ in looked_up} == {"output", "resource"}
    for kind, name in looked_up:
        assert name in names_in("Outputs" if kind == "output" else "Resources")


def test_every_pattern_is_found_by_the_name_of_its_stack() -> None:
    listed = re.search(r"# One of (Polling, .*)\.$", RUNBOOK, re.MULTILINE)
    assert listed
    nested = written(TOP)["Resources"]
    kind = "AWS::Serverless::Application"
    applications = {n for n, r in nested.items() if r["Type"] == kind} - {"Baseline"}
    assert set(listed[1].split(", ")) == applications


def test_every_name_is_from_the_template_the_code_or_the_api() -> None:
    known = names_in("Resources") | names_in("Outputs") | names_in("Parameters")
    for path in (ROOT / "src").rglob("*.py"):
        known.update(CAMEL_CASE.findall(path.read_text()))
    for service in {command.service for command in COMMANDS}:
        known.update(cli_model.names_of(service))
    assert set(CAMEL_CASE.findall(RUNBOOK)) - known == set()


def test_every_alarm_has_an_entry_and_every_entry_links_to_a_section() -> None:
    section = RUNBOOK.partition("## 9. ")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| `")]
    entries = [name for row in rows for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(entries) == sorted(alarms())
    for row in rows:
        assert all(cell.strip() for cell in row), row
        assert re.search(r"\(#[\w-]+\)", row[-1]), row


def test_links_within_the_page_point_to_headings() -> None:
    links = re.findall(r"\]\(#([^)]+)\)", RUNBOOK)
    assert len(links) > 20
    assert set(links) - slugs() == set()


def test_no_command_prints_a_callback_id_from_a_table() -> None:
    on_tables = [command for command in COMMANDS if command.service == "dynamodb"]
    for command in on_tables:
        parameters = call_of(command).parameters
        assert "callback_id" not in str(parameters)
        reads = not {"UpdateExpression", "Item"} & parameters.keys()
        assert ("ProjectionExpression" in parameters) == reads
        assert not any(name.startswith("ReturnValues") for name in parameters)
    assert len(on_tables) >= 5


def test_no_command_prints_a_callback_id_from_a_history() -> None:
    assert "CallbackId" in str(history())
    for command, call in calls_of(HISTORY):
        if command.is_printed:
            assert "query" in call.options
            assert "CallbackId" not in str(call.printed({"Events": history()}))
            assert webhook_id() not in str(call.printed({"Events": history()}))


def webhook_id() -> str:
    (started,) = [e for e in history() if e["EventType"] == "CallbackStarted"]
    return str(started["CallbackStartedDetails"]["CallbackId"])


def test_the_open_callback_is_returned_only_while_it_is_open() -> None:
    [(_, call)] = [(c, call) for c, call in calls_of(HISTORY) if c.variable == "CALLBACK"]
    assert call.parameters["ReverseOrder"] is True
    answered = [e["EventType"] for e in history()].index("CallbackSucceeded")
    assert call.printed({"Events": history()[:answered][::-1]}) == webhook_id()
    assert call.printed({"Events": history()[::-1]}) is None


def test_manual_answers_match_what_the_handlers_accept_and_the_endpoints_send() -> None:
    calls = calls_of("send-durable-execution-callback-success")
    results = [call.parameters["Result"] for _, call in calls]
    hint, transcript, *decisions = results
    assert hint == CHECK.body
    assert Transcript.model_validate_json(transcript).words == 812
    assert {logic.parse_decision(decision) for decision in decisions} == set(logic.Decision)
    assert [answers.success(json.loads(text)).body for text in results] == results


def test_keys_computed_manually_match_the_code() -> None:
    pipelines = re.findall(r"printf '%s [a-z_]+' .* sha256sum", "\n".join(BLOCKS))
    computed = [
        subprocess.check_output(["bash", "-c", f"EXECUTION=arn; {pipeline}"], text=True).split()[0]
        for pipeline in pipelines
    ]
    assert computed == [webhook.job_key("arn"), outbox.key("arn", "order_cancelled")]
