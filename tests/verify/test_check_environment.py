"""What `dacapo check` needs of the surroundings: variables, and an exception of the handler's."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution

from dacapo import Durable, Recording, check
from dacapo.cli.environment import of_template, read_file
from dacapo.cli.options import Mistake
from dacapo.verify.findings import Certainty, Code, Verdict
from tests.command_line import assert_usage_error, dacapo, fresh_dacapo
from tests.verify import fleet

RENAMED = next(
    number
    for number, line in enumerate(Path(fleet.__file__).read_text().splitlines(), 1)
    if "reserve the goods" in line
)
"""The line of the renamed step."""


@pytest.fixture(scope="module")
def recording() -> Recording:
    return fleet.record()


@durable_execution
def needs_a_variable(event: Any, context: DurableContext) -> None:
    table = os.environ["PARCELS_TABLE"]
    context.step(lambda _: table, name="reserve")


@durable_execution
def needs_a_variable_and_says_so(event: Any, context: DurableContext) -> None:
    try:
        table = os.environ["PARCELS_TABLE"]
    except KeyError as error:
        raise RuntimeError("not configured") from error
    context.step(lambda _: table, name="reserve")


@durable_execution
def uses_a_variable_that_may_be_missing(event: Any, context: DurableContext) -> None:
    table = os.getenv("PARCELS_TABLE")
    context.step(lambda _: 1, name=table.upper())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "handler",
    [needs_a_variable, needs_a_variable_and_says_so, uses_a_variable_that_may_be_missing],
    ids=lambda handler: handler.__name__,
)
def test_a_missing_variable_proves_nothing_and_is_named_with_its_line(
    recording: Recording, handler: Any
) -> None:
    (result,) = check(handler, recording)
    assert result.verdict is Verdict.NOT_VERIFIED
    assert result.failure is not None
    assert result.failure.place is not None
    assert result.failure.place.file == __file__
    assert not {f.code for f in result.findings} & {Code.NEVER_REACHED, Code.ENDED_EARLY}


def test_a_missing_variable_comes_first_and_is_status_3(
    recording: Recording, tmp_path: Path
) -> None:
    recording.save(tmp_path / "1.json")
    target = f"{__name__}:needs_a_variable"
    done = dacapo("check", str(tmp_path / "1.json"), target)
    assert done.returncode == 3
    first = done.stdout.splitlines()[2:5]
    assert first[0] == "1  a replay failed"
    assert re.search(r"tests/verify/test_check_environment.py:\d+", first[1])
    assert "KeyError: 'PARCELS_TABLE'" in first[2]
    assert "--env FILE" in done.stdout
    assert "never" not in done.stdout


def test_an_exception_in_the_code_is_proved_and_is_never_called_never_reached() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        stock = context.step(lambda _: {"number": 1}, name="reserve")
        context.step(lambda _: 1, name=str(stock["number"]))

    (result,) = check(handler, fleet.record())
    (finding,) = result.proved
    assert (finding.code, finding.also) == (Code.ENDED_EARLY, ())
    assert "TypeError: string indices" in finding.message
    assert finding.place is not None


def test_a_running_execution_in_which_all_is_read_back_may_fail_for_its_own_reason() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        context.step(lambda _: 1, name="reserve")
        raise ValueError("the code ends here")

    events = fleet.record().events
    reserved = next(n for n, one in enumerate(events) if one.type == "StepSucceeded")
    from dacapo.history.replay_log import Log  # noqa: PLC0415
    from dacapo.verify.deploy_check.replaying import check_log  # noqa: PLC0415

    log = Log(fleet.record().arn, events[: reserved + 1], None)
    (finding,) = check_log(handler, log).findings
    assert (finding.code, finding.certainty) == (Code.ENDED_EARLY, Certainty.SUSPECTED)


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: test}
  Sender: {Type: String}
Globals:
  Function:
    Handler: app.handler
    Environment: {Variables: {STAGE: !Ref Stage}}
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Parcels:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: parcels
      CodeUri: functions/parcels
      Environment:
        Variables:
          PARCELS_TABLE: !Sub "parcels-${Stage}-${AWS::Region}"
          LIMIT: 3
          DEBUG: false
          QUEUE: !GetAtt Queue.Arn
          SENDER: !Ref Sender
          DACAPO_NETWORK: allow
          AWS_PROFILE: production
  Other:
    Type: AWS::Lambda::Function
    Properties: {Handler: other.handler, Environment: {Variables: {NAME: other}}}
"""
APP = """
import os
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration

TABLE = os.environ["PARCELS_TABLE"]

@durable_execution
def handler(event, context):
    context.step(lambda _: 1, name="reserve")
    context.wait(Duration.from_days(1), name="a day")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "functions/parcels").mkdir(parents=True)
    (tmp_path / "functions/parcels/app.py").write_text(APP)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    fleet.write(tmp_path / "histories", 1)
    return tmp_path


CALL = ("check", "histories", "functions/parcels/app.py:handler")


@pytest.mark.prove
def test_a_variable_that_is_missing_at_import_is_one_line_with_its_place(project: Path) -> None:
    done = fresh_dacapo(*CALL, cwd=project)
    assert_usage_error(done, "KeyError: 'PARCELS_TABLE' (functions/parcels/app.py:6)")


@pytest.mark.parametrize(
    "options",
    [
        ("--template", "template.yaml"),
        ("--template", "template.yaml:Parcels"),
        ("--template", "template.yaml:parcels"),
        ("--env", "variables.env"),
    ],
)
def test_variables_come_from_a_file_or_a_template(project: Path, options: tuple[str, ...]) -> None:
    (project / "variables.env").write_text("# for a check\nexport PARCELS_TABLE='parcels'\n")
    done = fresh_dacapo(*CALL, *options, cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prove
def test_what_only_a_deployment_knows_is_named_with_what_to_write(project: Path) -> None:
    done = fresh_dacapo(*CALL, "--template", "template.yaml", cwd=project)
    text = " ".join(done.stdout.split())
    assert "values for QUEUE (!GetAtt Queue.Arn), SENDER (!Ref Sender)" in text
    assert "write QUEUE=… SENDER=… into a file, and give it with --env" in text


def test_a_template_resolves_what_has_one_value(project: Path) -> None:
    variables = of_template(project / "template.yaml", "Parcels", "")
    assert variables.values == {
        "STAGE": "test",
        "PARCELS_TABLE": "parcels-test-us-east-1",
        "LIMIT": "3",
        "DEBUG": "false",
    }


def test_a_template_in_json_needs_no_yaml(tmp_path: Path) -> None:
    function = {"Environment": {"Variables": {"A": {"Fn::Join": ["-", ["a", {"Ref": "B"}]]}}}}
    resources = {"One": {"Type": "AWS::Lambda::Function", "Properties": function}}
    parameters = {"B": {"Type": "String", "Default": "b"}}
    file = tmp_path / "template.json"
    file.write_text(json.dumps({"Parameters": parameters, "Resources": resources}))
    assert of_template(file, "", "module:handler").values == {"A": "a-b"}


@pytest.mark.prove
def test_what_a_function_declares_never_takes_a_run_online(project: Path) -> None:
    (project / "variables.env").write_text("PARCELS_TABLE=x\nAWS_PROFILE=production\n")
    assert "AWS_PROFILE" not in of_template(project / "template.yaml", "Parcels", "").values
    done = fresh_dacapo(*CALL, "--env", "variables.env", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--env", "none.env", "--env: none.env can't be read"),
        ("--env", "bad.env", "--env: bad.env:2 is not NAME=VALUE"),
        ("--template", "none.yaml", "--template: none.yaml can't be read"),
        ("--template", "bad.yaml", "--template: bad.yaml is neither YAML nor JSON"),
        ("--template", "template.yaml:Nobody", "has no function 'Nobody'"),
    ],
)
def test_a_mistake_in_the_environment_is_a_usage_error(
    project: Path, option: str, value: str, message: str
) -> None:
    (project / "bad.env").write_text("A=1\nsecret-without-a-name\n")
    (project / "bad.yaml").write_text("a: [")
    done = dacapo(*CALL, option, value, cwd=project)
    assert_usage_error(done, message)
    assert "secret" not in done.stderr


def test_quotes_and_comments_are_not_part_of_a_value(tmp_path: Path) -> None:
    file = tmp_path / "variables.env"
    file.write_text('A="a b"\nB=c # a comment\n\nexport C = d#e\nEMPTY=\n')
    assert read_file(file) == {"A": "a b", "B": "c", "C": "d#e", "EMPTY": ""}


def test_the_one_function_of_a_template_is_chosen_by_its_code(project: Path) -> None:
    template = project / "template.yaml"
    target = f"{project}/functions/parcels/app.py:handler"
    assert of_template(template, "", target).values["LIMIT"] == "3"
    with pytest.raises(Mistake, match="one of: Parcels, Other"):
        of_template(template, "", f"{project}/elsewhere.py:handler")


def test_the_fixture_passes_what_survives(durable: Durable, recording: Recording) -> None:
    (result,) = durable.check(recording, fleet.handler)
    assert result.points > 1


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (
            fleet.renamed,
            rf"different-operation at .*fleet\.py:{RENAMED}: it starts 'reserve the goods'",
        ),
        (needs_a_variable, "KeyError: 'PARCELS_TABLE'"),
    ],
    ids=["a break", "a replay that failed"],
)
def test_the_fixture_fails_a_test_with_the_cause(
    durable: Durable, recording: Recording, handler: Any, message: str
) -> None:
    with pytest.raises(pytest.fail.Exception, match=message):
        durable.check([recording, fleet.record(1)], handler)
