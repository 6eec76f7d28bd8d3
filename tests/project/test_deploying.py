"""Before a build, report what is missing; after it, compare the result with what was tested."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.project.template import PATTERNS
from tools import deploying
from tools.cli_model import call_of, commands_in

TOP = """\
Resources:
  Orders:
    Type: AWS::Serverless::Application
    Properties:
      Location: Orders/template.yaml
"""
NESTED = """\
Globals:
  Function:
    Runtime: python3.13
Resources:
  AFunction:
    Type: AWS::Serverless::Function
  ATable:
    Type: AWS::DynamoDB::Table
"""
FOR_ARM64 = deploying.ELF + bytes(14) + deploying.ARM64


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Create a project with a correct build of a template that nests another."""
    (tmp_path / "constraints.txt").write_text("# pins\nboto3==2.0\ntyping-extensions==4.1\n")
    (tmp_path / "src/patterns").mkdir(parents=True)
    (tmp_path / "src/patterns/template.yaml").write_text(NESTED)
    (tmp_path / "src/requirements.txt").write_text("boto3[x]==2.0\n")
    (tmp_path / "src/patterns/handler.py").write_text("handler = print\n")
    artifact = artifact_in(tmp_path)
    shutil.copytree(tmp_path / "src", artifact)
    (tmp_path / deploying.BUILT / "template.yaml").write_text(TOP)
    (artifact.parent / "template.yaml").write_text(NESTED)
    (artifact / "boto3-2.0.dist-info").mkdir()
    (artifact / "typing_extensions-4.1.dist-info").mkdir()
    (artifact / "fast.so").write_bytes(FOR_ARM64)
    return tmp_path


def artifact_in(root: Path) -> Path:
    return root / deploying.BUILT / "Orders/AFunction"


def on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Make a script the only interpreter of the runtime on PATH."""
    program = folder / "python3.13"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_the_interpreter_is_that_of_the_one_runtime_of_all_templates() -> None:
    assert deploying.runtime() == "python3.13"


def test_a_missing_interpreter_is_reported_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (problem,) = deploying.interpreter()
    assert problem.startswith("sam build needs python3.13 on PATH, with pip, because")
    assert problem.endswith("; it was not found")


def test_a_shim_of_an_unselected_interpreter_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path(tmp_path, monkeypatch, "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    (problem,) = deploying.interpreter()
    assert problem.endswith("does not work: pyenv: python3.13: command not found")


def test_a_working_interpreter_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path(tmp_path, monkeypatch, "exit 0")
    assert deploying.interpreter() == []
    assert deploying.main("interpreter") == 0


def test_a_missing_interpreter_is_printed_and_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert deploying.main("interpreter") == 1
    assert "sam build needs python3.13" in capsys.readouterr().out


def test_a_build_of_what_was_tested_passes(root: Path) -> None:
    assert deploying.built(root) == []


def test_a_missing_build_is_reported(root: Path) -> None:
    shutil.rmtree(root / deploying.BUILT)
    assert deploying.built(root) == ["there is no build in .aws-sam/build"]


def test_a_function_that_was_not_built_is_reported(root: Path) -> None:
    shutil.rmtree(artifact_in(root))
    assert any("boto3 is missing" in problem for problem in deploying.built(root))


def test_missing_or_outdated_code_is_reported(root: Path) -> None:
    copy = artifact_in(root) / "patterns/handler.py"
    copy.write_text("old\n")
    assert deploying.built(root) == [
        "Orders/AFunction: patterns/handler.py is missing or differs from src"
    ]
    copy.unlink()
    assert len(deploying.built(root)) == 1


def test_a_package_in_an_untested_version_is_reported(root: Path) -> None:
    artifact = artifact_in(root)
    (artifact / "typing_extensions-4.1.dist-info").rename(
        artifact / "typing_extensions-4.2.dist-info"
    )
    (artifact / "new-1.dist-info").mkdir()
    assert sorted(deploying.built(root)) == [
        "Orders/AFunction: new is 1, but no version was tested",
        "Orders/AFunction: typing-extensions is 4.2, but 4.1 was tested",
    ]


def test_a_library_for_another_architecture_is_reported(root: Path) -> None:
    (artifact_in(root) / "fast.so").write_bytes(deploying.ELF + bytes(14) + b"\x3e\x00")
    assert deploying.built(root) == ["Orders/AFunction: fast.so is not for arm64"]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=deploying.ROOT,
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("pattern", ["", "webhook_callback"])
def test_make_deploy_first_asks_for_a_missing_partner_url(pattern: str) -> None:
    completed = make("deploy", "PARTNER_URL=", f"PATTERN={pattern}")
    assert completed.returncode != 0
    assert completed.stdout.startswith("make deploy needs PARTNER_URL")
    assert len(completed.stdout.splitlines()) == 1


def test_an_unknown_pattern_is_refused_with_the_names_of_all() -> None:
    completed = make("deploy", "PATTERN=callbacks")
    assert completed.returncode != 0
    assert f"PATTERN is one of: {' '.join(PATTERNS)}." in completed.stderr


def test_the_pattern_that_runs_as_latest_is_not_deployed_on_managed_instances() -> None:
    completed = make("deploy", "PATTERN=versioned", "CAPACITY_PROVIDER=arn:…")
    assert completed.returncode != 0
    assert "versioned runs as $LATEST, and a managed function runs published" in completed.stderr


@pytest.mark.parametrize("pattern", PATTERNS)
def test_one_pattern_is_deployed_from_its_own_template_as_a_stack_of_its_own(pattern: str) -> None:
    printed = make(
        "--dry-run", "deploy", f"PATTERN={pattern}", "PARTNER_URL=https://v.example"
    ).stdout
    stack = f"dacapo-{pattern.replace('_', '-')}"
    assert f"--template-file src/patterns/{pattern}/template.yaml" in printed
    assert f"--stack-name '{stack}' --resolve-s3 --tags 'stack={stack}'" in printed
    assert "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND" in printed


def test_all_patterns_are_deployed_from_the_template_at_the_top() -> None:
    printed = make("--dry-run", "deploy", "PARTNER_URL=https://v.example", "KEEP_DATA=no").stdout
    assert "--template-file template.yaml" in printed
    assert "--stack-name 'dacapo' " in printed
    assert "--parameter-overrides 'PartnerUrl=https://v.example' 'KeepData=no'" in printed


def test_make_destroy_says_what_it_leaves_and_how_to_remove_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (
        "tools.deploying kept 'dacapo-approval'" in make("-n", "destroy", "PATTERN=approval").stdout
    )
    assert deploying.main("kept", "dacapo-approval") == 0
    printed = capsys.readouterr().out
    assert f"Key={deploying.STACK_TAG},Values=dacapo-approval" in printed
    lines = [line for line in printed.replace("\\\n", "").splitlines() if line.startswith("  aws")]
    # `aws s3` isn't an API: the CLI's own commands have no model.
    commands = commands_in("\n".join(line for line in lines if " s3 " not in line))
    assert [(c.service, c.operation) for c in commands] == [
        ("resourcegroupstaggingapi", "get-resources"),
        ("dynamodb", "delete-table"),
        ("secretsmanager", "delete-secret"),
        ("kms", "schedule-key-deletion"),
    ]
    for command in commands:
        call_of(command)
