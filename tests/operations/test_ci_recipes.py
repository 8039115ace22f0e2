"""The recipes for CI: what they call exists, and every rendered DAG is run by them without being named."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deployment import ROOT

GITHUB = ROOT / ".github" / "workflows" / "ci.yml"
GITLAB = ROOT / ".gitlab-ci.yml"
TARGET = re.compile(r"(?:^|[;&|]\s*|\bdo\s+|\bthen\s+)make\s+([a-z][a-z-]*)", re.M)


def github() -> dict[str, str]:
    """Script of each job of the workflow, by name."""
    job = yaml.safe_load(GITHUB.read_text())["jobs"]["check"]
    steps = "\n".join(step["run"] for step in job["steps"] if "run" in step)
    return {one["name"]: steps.replace("${{ matrix.run }}", one["run"]) for one in job["strategy"]["matrix"]["include"]}


def gitlab() -> dict[str, str]:
    """Script of each job, by name."""
    recipe = yaml.safe_load(GITLAB.read_text())
    before = recipe["default"]["before_script"]
    return {
        name: "\n".join([*before, *job["script"]])
        for name, job in recipe.items()
        if isinstance(job, dict) and "script" in job
    }


RECIPES = ("github", "gitlab")
JOBS = ("lint", "dags", "test", "test-full")


def script(recipe: str, job: str) -> str:
    return {"github": github, "gitlab": gitlab}[recipe]()[job]


def test_both_have_the_same_jobs():
    assert set(github()) == set(gitlab()) == set(JOBS)


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_target_that_a_job_makes_is_in_the_makefile(recipe: str, job: str):
    declared = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))
    called = TARGET.findall(script(recipe, job))
    assert "setup" in called
    assert set(called) <= declared
    assert {"dags": "retrain"}.get(job, job) in called


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_rendered_dag_is_run_and_none_is_named(recipe: str, tmp_path: Path):
    shutil.copytree(ROOT / "dags", tmp_path / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    found = [re.search(r'dag_id="([^"]+)"', path.read_text()) for path in sorted((ROOT / "dags").glob("*_dag.py"))]
    rendered = [one.group(1) for one in found if one]
    # One that no recipe can have heard of.
    (tmp_path / "dags" / "zz_made_up.part_dag.py").touch()
    assert asked(recipe, tmp_path) == [f"retrain DAG={dag}" for dag in (*rendered, "zz_made_up.part")]
    assert not [dag for dag in rendered if dag in script(recipe, "dags")]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_dag_that_fails_fails_the_job(recipe: str, tmp_path: Path):
    (tmp_path / "dags").mkdir()
    for name in ("first", "second"):
        (tmp_path / "dags" / f"{name}_dag.py").touch()
    assert asked(recipe, tmp_path, fails_at="first") == ["retrain DAG=first"]


def asked(recipe: str, folder: Path, fails_at: str = "nothing") -> list[str]:
    """What the job's own loop asks `make` for, one call a line; it must fail where `make` does."""
    loop = "for" + script(recipe, "dags").rpartition("\nfor")[2]
    program, log = folder / "bin" / "make", folder / "asked"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\ncase "$*" in *{fails_at}*) exit 1;; esac\n')
    program.chmod(0o755)
    log.write_text("")
    environment = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", loop], cwd=folder, env=environment)
    assert done.returncode == (0 if fails_at == "nothing" else 1)
    return log.read_text().splitlines()


def test_the_two_jobs_of_tests_leave_none_out_and_run_none_twice(tmp_path: Path):
    """What both targets ask pytest for, each in its own words, among tests of every kind."""
    selections = [shlex.split(said)[1:] for said in map(command_of, ("test", "test-full"))]
    (tmp_path / "test_made_up.py").write_text(MADE_UP)
    chosen = [
        set(re.findall(r"::(\w+)", pytest_in(tmp_path, "--collect-only", "-q", "-m", given[given.index("-m") + 1])))
        for given in selections
    ]
    assert chosen == [{"test_plain", "test_slow"}, {"test_full", "test_both"}]


MADE_UP = """
import pytest

def test_plain(): pass

@pytest.mark.slow
def test_slow(): pass

@pytest.mark.full
def test_full(): pass

@pytest.mark.slow
@pytest.mark.full
def test_both(): pass
"""


def command_of(target: str) -> str:
    """The command of a target, as the Makefile writes it."""
    text = (ROOT / "Makefile").read_text()
    recipe = re.search(rf"^{target}: .*\n\t@(.*)$", text, re.M)
    assert recipe, target
    return recipe[1].replace("$(PYTEST)", "pytest").replace("$(TESTS)", "")


def pytest_in(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", str(folder), "-p", "no:cacheprovider"]
    done = subprocess.run([*command, *options, str(folder)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_both_keep_the_environment_by_the_lock():
    steps = yaml.safe_load(GITHUB.read_text())["jobs"]["check"]["steps"]
    (cache,) = [step["with"] for step in steps if step.get("uses", "").startswith("actions/cache@")]
    assert cache["path"] == ".venv"
    assert "hashFiles('requirements.lock'," in cache["key"]
    kept = yaml.safe_load(GITLAB.read_text())["default"]["cache"]
    assert (kept["key"]["files"][0], kept["paths"]) == ("requirements.lock", [".venv/"])
    named = re.findall(r"'([^']+)'", cache["key"]) + kept["key"]["files"]
    assert all((ROOT / name).is_file() for name in named)


def test_hooks_before_a_commit_are_local():
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [one["repo"] for one in repositories] == ["local"]
    hooks = repositories[0]["hooks"]
    assert [hook["id"] for hook in hooks] == ["ruff-check", "ruff-format", "rendered-dags"]
    assert {hook["language"] for hook in hooks} == {"system"}


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem
)
def test_issue_forms_have_what_github_asks_for(form: Path):
    content = yaml.safe_load(form.read_text())
    if form.stem == "config":
        assert content == {"blank_issues_enabled": True}
        return
    assert content.keys() >= {"name", "description", "body"}
    ids = [one["id"] for one in content["body"]]
    assert len(ids) == len(set(ids))
    assert {one["type"] for one in content["body"]} <= {"textarea", "input", "dropdown", "markdown", "checkboxes"}
