"""Where files are, for each way a deployment may be set up."""

from pathlib import Path

import pytest

from tracked_kedro.kedro_side import locations


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "deep" / "project"
    folder.mkdir(parents=True)
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(folder))
    return folder


def test_var_is_beside_the_project_unless_the_environment_says_otherwise(
    project: Path, var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locations.var_folder() == var
    monkeypatch.delenv("RETRAINING_VAR")
    assert locations.var_folder() == project.parent / "var"


def test_the_project_is_the_named_one_else_the_one_beside_the_library(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locations.project_path() == project
    assert locations.raw_folder() == project / "data" / "01_raw"
    monkeypatch.delenv("KEDRO_PROJECT_PATH")
    assert (locations.project_path() / "pyproject.toml").is_file()


@pytest.mark.parametrize(("key", "last"), [(None, "kedro"), ("scheduled__2019", "scheduled__2019")])
def test_each_run_has_a_folder(var: Path, key: str | None, last: str) -> None:
    assert locations.run_folder("rents", key) == f"{var}/data/rents/{last}"


def test_data_may_lie_in_an_object_store(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRAINING_DATA", "s3://bucket/data/")
    assert locations.run_folder("rents", "a") == "s3://bucket/data/rents/a"


def test_artifacts_of_the_embedded_store_lie_under_var(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = (var / "mlflow" / "artifacts" / "rents").as_uri()
    assert locations.artifact_location("rents") == expected
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert locations.artifact_location("rents") == expected
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert locations.artifact_location("rents") is None
    # The address that mlflow.yml names comes before the variable.
    assert locations.artifact_location("rents", "sqlite:///mlflow.db") == expected


def test_configuration_can_use_every_resolver() -> None:
    assert set(locations.RESOLVERS) == {"artifact_location", "raw_inputs", "run_folder"}


def test_production_without_a_store_for_data_is_refused(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEDRO_ENV", "prod")
    with pytest.raises(ValueError, match="RETRAINING_DATA is not set"):
        locations.run_folder("rents", None)
    monkeypatch.setenv("RETRAINING_DATA", "s3://bucket/runs")
    assert locations.raw_inputs() == "s3://bucket/runs/raw_inputs"
