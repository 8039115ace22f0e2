"""`make reproduce` of a hosted project's run: its commit, its files, its parameters, again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import click
import pytest
from mlflow.tracking import MlflowClient

from tests.fixtures.hosted import Stranger, write_stranger
from tests.fixtures.rents import Rents
from tracked_kedro import names
from tracked_kedro.cli.reproduce import compare
from tracked_kedro.hosting.facts import code_tags, code_version

REGISTRY = """
    import mlflow
    from kedro.pipeline import Pipeline, node


    def weigh(rows, factor):
        mlflow.log_metric("weight", float(rows.strip()) * factor)
        return "done"


    def register_pipelines():
        return {"__default__": Pipeline([node(weigh, ["rows", "params:factor"], "end", name="weigh")])}
"""
CATALOG = "rows: {type: text.TextDataset, filepath: data/rows.txt}\n"


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def made(tmp_path: Path, rents: Rents, store: MlflowClient) -> Stranger:
    """A run of a project that stands in a folder of a repository, with a file that no commit holds."""
    repository = tmp_path / "repository"
    project = write_stranger(repository / "guest", REGISTRY, catalog=CATALOG, parameters="factor: 2.0\n")
    (project / "data").mkdir()
    (project / "data" / "rows.txt").write_text("3.5\n")
    (repository / ".gitignore").write_text("data/\nlocal/\n")
    git(repository, "init", "-q")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "Weighs")
    block = rents.project / "conf" / "base" / "guest" / "airflow.yml"
    block.parent.mkdir()
    block.write_text(f"guest: {{project: {project}}}\n")
    stranger = Stranger.hosted(project, tmp_path / "data")
    tags = {"airflow.dag_id": "guest", names.HOSTED_PARAMS_TAG: json.dumps({"factor": 4.0}), **code_tags(project)}
    for key, value in tags.items():
        store.set_tag(stranger.run_id, key, value)
    stranger.task("weigh", factor=4.0)
    store.set_terminated(stranger.run_id)
    return stranger


@pytest.mark.full
@pytest.mark.slow
def test_the_same_comes_out_of_its_commit_whatever_the_checkout_is_now(
    made: Stranger, capsys: pytest.CaptureFixture[str]
):
    assert made.run_id is not None and made.parent.data.metrics["weight"] == 14.0
    registry = made.project.folder / "src" / "guestbook" / "pipeline_registry.py"
    registry.write_text(registry.read_text().replace("* factor", "+ factor"))
    assert compare(made.run_id, force=False) == 0
    said = capsys.readouterr().out
    assert "1 input files" in said and "Weighs" in said and said.endswith("reproduce: equal\n")
    MlflowClient().log_metric(made.run_id, "weight", 15.0)
    assert compare(made.run_id, force=False) == 1
    assert "metric weight was 15.0, is 14.0" in capsys.readouterr().out


def test_what_is_not_there_any_more_is_named_before_anything_runs(made: Stranger, monkeypatch: pytest.MonkeyPatch):
    assert made.run_id is not None
    (made.project.folder / "data" / "rows.txt").write_text("4.5\n")
    with pytest.raises(click.ClickException, match=r"has read data/rows\.txt with the SHA-256 .*put that file back"):
        compare(made.run_id, force=False)
    MlflowClient().set_tag(made.run_id, "project_dirty", "true")
    with pytest.raises(click.ClickException, match="changes that were not committed; FORCE=1"):
        compare(made.run_id, force=False)
    MlflowClient().set_tag(made.run_id, names.HOSTED_PARAMS_TAG, '{"factor": "${oc.env:HOME}"}')
    with pytest.raises(click.ClickException, match="its tag kedro_runtime_params is not ours"):
        compare(made.run_id, force=True)
    MlflowClient().set_tag(made.run_id, "airflow.dag_id", "gone")
    with pytest.raises(click.ClickException, match="no block of the hosted project 'gone' here; make add-project"):
        compare(made.run_id, force=True)


def test_the_code_s_version_is_that_of_code_and_configuration_with_git_or_without(tmp_path: Path):
    project = write_stranger(tmp_path / "guest", REGISTRY)
    before = code_version(project)
    (project / "conf" / "local" / "credentials.yml").write_text("a: b\n")
    (project / "notes.txt").write_text("x")
    assert code_version(project) == before
    (project / "conf" / "base" / "parameters.yml").write_text("factor: 3\n")
    assert code_version(project) != before
