"""The pipelines of docs/ci: their shell is sound, and they do what docs/ci-cd.md says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from deployment.cli import main as deploy
from plumbline.cli import main as plumbline

ROOT = Path(__file__).parents[2]

FOLDER = ROOT / "docs" / "ci"

WORKFLOW = yaml.safe_load((FOLDER / "github-actions.yml").read_text("utf-8"))

BUILDSPEC = yaml.safe_load((FOLDER / "buildspec.yml").read_text("utf-8"))

STEPS = WORKFLOW["jobs"]["deploy"]["steps"]

SCRIPTS = {
    "github": [step["run"] for step in STEPS if "run" in step],
    "codebuild": [line for phase in BUILDSPEC["phases"].values() for line in phase["commands"]],
}

PROGRAMS: dict[str, click.Command] = {
    "plumbline/.venv/bin/plumbline": plumbline,
    "plumbline/deploy.py": deploy,
}

STAND_IN = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in *status*) exit "$STATUS" ;; esac
"""


def commands(script: str) -> list[list[str]]:
    """The calls of plumbline and deploy.py in a script, as words."""
    flat = script.replace("\\\n", " ")
    lines = re.findall(r"plumbline/(?:\.venv/bin/plumbline|deploy\.py) [^|;\n]*", flat)
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("pipeline", SCRIPTS)
def test_every_command_and_option_is_there(pipeline: str) -> None:
    calls = [call for script in SCRIPTS[pipeline] for call in commands(script)]

    assert [call[1] for call in calls] == ["pack", "status", "update", "up"]
    for program, name, *rest in calls:
        group = PROGRAMS[program]
        assert isinstance(group, click.Group)
        command = group.get_command(click.Context(group), name)
        assert command is not None
        known = {option for each in command.params for option in each.opts}
        assert {word for word in rest if word.startswith("--")} <= known


@pytest.mark.parametrize("pipeline", SCRIPTS)
def test_the_image_is_built_with_options_that_the_script_has(pipeline: str) -> None:
    help_text = subprocess.run(
        ["bash", ROOT / "build_and_push.sh", "--help"], capture_output=True, text=True, check=True
    ).stdout
    (line,) = (script for script in SCRIPTS[pipeline] if "build_and_push.sh" in script)

    assert all(f"  {option} " in help_text for option in re.findall(r"--[a-z]+", line))


@pytest.mark.parametrize("pipeline", SCRIPTS)
def test_the_shell_is_sound(pipeline: str, tmp_path: Path) -> None:
    for number, script in enumerate(SCRIPTS[pipeline]):
        file = tmp_path / f"{number}.sh"
        file.write_text(f"#!/bin/bash\nset -e\n{script}\n")
        subprocess.run(["bash", "-n", file], check=True)
        if shutil.which("shellcheck"):
            subprocess.run(["shellcheck", "--exclude=SC2154", file], check=True)


@pytest.mark.parametrize("pipeline", SCRIPTS)
@pytest.mark.parametrize(
    ("status", "called", "ends"),
    [(0, ["status", "update"], 0), (4, ["status", "up"], 0), (6, ["status"], 6)],
)
def test_an_endpoint_is_made_once_then_updated_and_a_failed_one_stops_the_job(
    pipeline: str, status: int, called: list[str], ends: int, tmp_path: Path
) -> None:
    python = tmp_path / "plumbline" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(STAND_IN)
    python.chmod(0o755)
    (tmp_path / "image").write_text("URI\n")
    calls = tmp_path / "calls"
    given = {"CALLS": str(calls), "STATUS": str(status), "PATH": os.environ["PATH"]}
    names = {"ENDPOINT": "cats", "IMAGE": "URI", "ROLE": "ROLE", "CODEBUILD_BUILD_SUCCEEDING": "1"}
    script = SCRIPTS[pipeline][-1]

    env = {**given, **names}
    ended = subprocess.run(["bash", "-ec", script], cwd=tmp_path, env=env, check=False)

    asked = [line.split() for line in calls.read_text().splitlines()]
    assert ended.returncode == ends
    assert [words[1] for words in asked] == called
    for words in asked[1:]:
        assert {"cats", "URI", "model.tar.gz"} <= set(words)


def test_the_workflow_has_oidc_and_no_keys() -> None:
    text = (FOLDER / "github-actions.yml").read_text("utf-8")
    (login,) = (step for step in STEPS if "aws-actions" in step.get("uses", ""))

    assert WORKFLOW["permissions"] == {"contents": "read", "id-token": "write"}
    assert "secrets." not in text
    assert "role-to-assume" in login["with"]
    assert all(("run" in step) != ("uses" in step) for step in STEPS)
    assert WORKFLOW["concurrency"]["cancel-in-progress"] is False


def test_a_failed_build_deploys_nothing_at_codebuild(tmp_path: Path) -> None:
    ended = subprocess.run(
        ["bash", "-ec", SCRIPTS["codebuild"][-1]],
        check=False,
        cwd=tmp_path,
        env={"CODEBUILD_BUILD_SUCCEEDING": "0", "PATH": os.environ["PATH"]},
    )

    assert ended.returncode == 1


class CloudFormation(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's short forms, such as `!Ref`."""


def short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    """`{"Ref": …}` for `!Ref …`."""
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node)}
    assert isinstance(node, yaml.ScalarNode)
    return {suffix: node.value}


CloudFormation.add_multi_constructor("!", short_form)


def resources(name: str) -> dict[str, Any]:
    """The resources of a template in docs/ci."""
    text = (FOLDER / name).read_text("utf-8")
    found: dict[str, Any] = yaml.load(text, CloudFormation)["Resources"]
    return found


@pytest.mark.parametrize("name", ["github-oidc.yaml", "codebuild.yaml"])
def test_the_templates_are_ones_that_cfn_lint_accepts(name: str) -> None:
    cfnlint = pytest.importorskip("cfnlint.api")
    config = pytest.importorskip("cfnlint.config")

    found = cfnlint.lint(
        (FOLDER / name).read_text("utf-8"), config=config.ManualArgs(regions=["eu-central-1"])
    )

    assert [str(each) for each in found] == []


def test_only_one_repository_and_environment_may_take_the_role() -> None:
    role = resources("github-oidc.yaml")["Role"]["Properties"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]

    conditions = statement["Condition"]["StringEquals"]
    assert conditions["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    subject = conditions["token.actions.githubusercontent.com:sub"]
    assert subject == {"Sub": "repo:${Repository}:environment:${Environment}"}
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert "*" not in json.dumps(statement)


def test_codebuild_runs_one_build_at_a_time_with_docker_and_this_buildspec() -> None:
    project = resources("codebuild.yaml")["Project"]["Properties"]

    assert project["ConcurrentBuildLimit"] == 1
    assert project["Environment"]["PrivilegedMode"] is True
    assert project["Source"]["BuildSpec"] == "buildspec.yml"
