"""Facts about the parent run: the table it was trained on, with its digest, and the state of the code."""

import subprocess
from pathlib import Path

import mlflow
import polars as pl
import pytest
from mlflow.tracking import MlflowClient

from tracked_kedro.kedro_side.run_facts import MlflowInputDataset, MlflowRunTagsDataset, git_tags

TABLE = pl.DataFrame({"series": ["belem", "rio"], "temperature": [26.5, None]})


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with one commit, in the place of this project."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "code.py").write_text("1\n")
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "first")):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(folder))
    return folder


def head(repository: Path) -> str:
    command = ["git", "-C", str(repository), "rev-parse", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def inputs(path: Path) -> MlflowInputDataset:
    return MlflowInputDataset(
        {"type": "polars.EagerPolarsDataset", "file_format": "parquet", "filepath": str(path)}, "t"
    )


def test_the_table_is_stored_and_listed_with_its_digest(store: MlflowClient, parent, tmp_path: Path) -> None:
    dataset = inputs(tmp_path / "table.parquet")
    dataset.save(TABLE)
    assert dataset.load().equals(TABLE)
    assert dataset.exists()
    (listed,) = store.get_run(parent.info.run_id).inputs.dataset_inputs
    assert listed.dataset.name == "t"
    assert listed.dataset.digest
    assert "table.parquet" in listed.dataset.source
    assert [tag.value for tag in listed.tags] == ["training"]


def test_a_cleared_task_lists_the_same_table_once(store: MlflowClient, parent, tmp_path: Path) -> None:
    for _ in range(2):
        inputs(tmp_path / "table.parquet").save(TABLE)
    assert len(store.get_run(parent.info.run_id).inputs.dataset_inputs) == 1


def test_another_table_has_another_digest(store: MlflowClient, parent, tmp_path: Path) -> None:
    inputs(tmp_path / "a.parquet").save(TABLE)
    inputs(tmp_path / "a.parquet").save(TABLE.with_columns(temperature=pl.lit(1.0)))
    digests = {one.dataset.digest for one in store.get_run(parent.info.run_id).inputs.dataset_inputs}
    assert len(digests) == 2


def test_without_a_run_the_table_is_still_stored(store: MlflowClient, tmp_path: Path) -> None:
    inputs(tmp_path / "table.parquet").save(TABLE)
    assert inputs(tmp_path / "table.parquet").load().equals(TABLE)
    assert mlflow.active_run() is None


def test_tags_carry_commit_and_a_clean_tree(store: MlflowClient, parent, repository: Path) -> None:
    (repository / "untracked").touch()
    MlflowRunTagsDataset().save({"mlflow.runName": "rents 2019-10", "model": "x"})
    run = store.get_run(parent.info.run_id)
    expected = {"git_commit": head(repository), "git_dirty": "false", "model": "x"}
    assert expected.items() <= run.data.tags.items()
    assert run.info.run_name == "rents 2019-10"


def test_a_changed_file_makes_the_tree_dirty(repository: Path) -> None:
    (repository / "code.py").write_text("2\n")
    assert git_tags() == {"git_commit": head(repository), "git_dirty": "true"}


def test_a_configured_tag_wins(store: MlflowClient, parent, repository: Path) -> None:
    MlflowRunTagsDataset().save({"git_commit": "release-7"})
    assert store.get_run(parent.info.run_id).data.tags["git_commit"] == "release-7"


def test_outside_a_repository_there_is_nothing_to_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(tmp_path))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_tags() == {}


def test_without_git_there_is_nothing_to_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_tags() == {}


@pytest.mark.parametrize(
    ("built_from", "tags"),
    [
        ("4f2a", {"git_commit": "4f2a", "git_dirty": "false"}),
        ("4f2a-dirty", {"git_commit": "4f2a", "git_dirty": "true"}),
    ],
)
def test_an_image_knows_the_commit_it_was_built_from(monkeypatch, built_from, tags):
    monkeypatch.setenv("RETRAINING_GIT_COMMIT", built_from)
    assert git_tags() == tags
