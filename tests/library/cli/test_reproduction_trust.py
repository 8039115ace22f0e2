"""What a run says of itself was written by whoever may write to the store: `make reproduce` obeys none of it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import click
import mlflow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.tracking import MlflowClient

from tracked_kedro.cli import reproduce, reproduction
from tracked_kedro.cli.commits import CannotReproduceError, Commit
from tracked_kedro.cli.reproduction import Recipe
from tracked_kedro.kedro_side.raw_inputs import RawInputs
from tracked_kedro.kedro_side.sources.opening import source

# The code of a commit: it writes down what it can see, and fails.
CODE = """
import json, os, pathlib
def bootstrap_project(project):
    pathlib.Path({seen!r}).write_text(json.dumps(dict(os.environ)))
    raise SystemExit("seen")
"""


def git(repository: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org"]
    return subprocess.run(
        ["git", "-C", str(repository), *who, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, var: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose code tells what its process can see; its branch `other` has a commit of its own."""
    checkout = tmp_path / "checkout"
    (checkout / "kedro_project" / "src" / "kedro" / "framework").mkdir(parents=True)
    (checkout / "plugins").mkdir()
    (checkout / "plugins" / "pyproject.toml").touch()
    package = checkout / "kedro_project" / "src" / "kedro"
    for folder in (package, package / "framework"):
        (folder / "__init__.py").touch()
    (package / "framework" / "session.py").write_text("KedroSession = None\n")
    (package / "framework" / "startup.py").write_text(CODE.format(seen=str(tmp_path / "seen.json")))
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(checkout))
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message=Forecast rents\x1b[2J")
    git(checkout, "branch", "other")
    git(checkout, "switch", "--quiet", "other")
    git(checkout, "commit", "--quiet", "--allow-empty", "--message=Not judged by anybody")
    git(checkout, "switch", "--quiet", "main")
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(checkout / "kedro_project"))
    return checkout


def recorded(commit: str, files: dict[str, str] | None = None, parameter: str = "rents.folder", **params: str) -> str:
    """A finished parent run as somebody has written it; its id."""
    with mlflow.start_run(tags={"git_commit": commit}) as run:
        mlflow.log_params({f"rents.{name}": value for name, value in params.items()})
        mlflow.log_text(json.dumps({"parameter": parameter, "files": files or {}}), reproduction.MANIFEST)
    return run.info.run_id


@pytest.mark.parametrize("option", ["--output={0}", "--remote={0}", "--exec=touch {0}", "-o{0}", "--help"])
def test_a_tag_is_no_option_of_git(repository: Path, store: MlflowClient, tmp_path: Path, option: str):
    victim = tmp_path / "victim"
    run = recorded(option.format(victim))
    with pytest.raises(click.ClickException, match="no full commit id"):
        reproduce.compare(run, force=True)
    assert not victim.exists()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tag=st.one_of(st.text(max_size=60), st.from_regex(r"[0-9a-fA-F]{4,41}\n?", fullmatch=True)))
def test_no_tag_but_a_full_id_of_the_own_history_is_a_commit(repository: Path, tag: str):
    with pytest.raises(CannotReproduceError):
        Commit.of(repository, tag)


@pytest.mark.parametrize("name", ["main", "HEAD", "{short}", "{full}^", "{full}\n", "{upper}"])
def test_other_spellings_of_a_commit_are_none(repository: Path, name: str):
    full = git(repository, "rev-parse", "HEAD")
    with pytest.raises(CannotReproduceError, match="no full commit id"):
        Commit.of(repository, name.format(short=full[:12], full=full, upper=full.upper().replace("0", "A")))


def test_code_of_a_branch_that_nobody_named_is_not_run(repository: Path, store: MlflowClient, tmp_path: Path, capsys):
    foreign = git(repository, "rev-parse", "other")
    run = recorded(foreign)
    with pytest.raises(click.ClickException, match=r"is not in .* among the ancestors of HEAD.*BRANCH="):
        reproduce.compare(run, force=True)
    assert not (tmp_path / "seen.json").exists()
    with pytest.raises(click.ClickException, match="the run failed this time: seen"):
        reproduce.compare(run, force=True, branch="other")
    assert f"  {foreign[:7]} (" in capsys.readouterr().out
    with pytest.raises(click.ClickException, match="is no branch of"):
        reproduce.compare(run, force=True, branch="--output=x")


def test_the_person_reads_which_code_runs_before_it_does_and_it_sees_no_secret(
    repository: Path, store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    secrets = (
        "MLFLOW_TRACKING_PASSWORD",
        "AIRFLOW__CORE__FERNET_KEY",
        "MLFLOW_BACKEND_STORE_URI",
        "BACKUP_SIGNING_KEY",
    )
    others = (
        "PGPASSWORD",
        "SOME_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "SSH_AUTH_SOCK",
        "ARTIFACTS_SECRET_ACCESS_KEY",
        "a b",
    )
    for name in (*secrets, *others):
        monkeypatch.setenv(name, "hunter2-of-this-test")
    head = git(repository, "rev-parse", "HEAD")
    with pytest.raises(click.ClickException, match="the run failed this time: seen"):
        reproduce.compare(recorded(head), force=False)
    told = capsys.readouterr().out
    assert f"  {head[:7]} (" in told
    assert "Forecast rents?[2J" in told, "what a terminal would obey is not shown"
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert "hunter2-of-this-test" not in seen.values()
    ours = {"HOME", "RETRAINING_VAR", "MLFLOW_TRACKING_URI", "KEDRO_LOGGING_CONFIG", "KEDRO_PROJECT_PATH", "PYTHONPATH"}
    ours.add("ALLOWED_SOURCES")
    # Python itself may say in which encoding it talks.
    assert set(seen) <= {*reproduction.ENVIRONMENT, *ours, "LC_CTYPE"}
    assert seen["HOME"] != os.environ.get("HOME")


NAMES = ["../victim", "/tmp/victim", "a/b", "a\\b", "..", ".", ".ssh", "", "a\nb", "x" * 256]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_a_run_has_a_plain_name(repository: Path, store: MlflowClient, tmp_path: Path, name: str):
    (tmp_path / "kept").write_text("kept")
    digest = RawInputs(reproduction.raw_inputs()).keep(source(str(tmp_path / "kept")))
    run = recorded(git(repository, "rev-parse", "HEAD"), {name: digest})
    before = sorted(tmp_path.rglob("victim"))
    with pytest.raises(click.ClickException, match="is not ours"):
        reproduce.compare(run, force=False)
    assert sorted(tmp_path.rglob("victim")) == before


@given(st.text(max_size=20))
def test_a_plain_name_stays_in_its_folder(name: str):
    try:
        plain = reproduction.base_name(name)
    except ValueError:
        return
    assert Path(os.path.normpath(Path("/folder") / plain)).parent == Path("/folder")


@pytest.mark.parametrize(
    ("files", "parameter"),
    [({"a.csv": "../../etc/passwd"}, "rents.folder"), ({}, "../../x"), ({}, "rents"), ({}, "rents.${oc.env:HOME}")],
)
def test_digests_and_parameters_of_a_manifest_are_what_they_should_be(store: MlflowClient, files, parameter):
    run = store.get_run(recorded("0" * 40, files, parameter))
    with pytest.raises(CannotReproduceError, match="is not ours"):
        Recipe.of(run)


@pytest.mark.parametrize("text", ["${oc.env:HOME}", "[1, '${oc.env:HOME}']", r"'$\x7boc.env:HOME}'", "{'${a}': 1}"])
def test_a_parameter_is_a_literal(store: MlflowClient, text: str):
    run = store.get_run(recorded("0" * 40, folder=text))
    with pytest.raises(CannotReproduceError, match=r"rents.folder holds \$\{…\}"):
        Recipe.of(run)


@pytest.mark.parametrize("run_id", ["../../victim", "--help", "f" * 31, "F" * 32])
def test_a_run_id_is_one(run_id: str):
    with pytest.raises(click.ClickException, match="is no run id"):
        reproduce.compare(run_id, force=False)
