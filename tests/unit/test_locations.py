"""Where files are: each resolver for each way a deployment may be set up."""

from pathlib import Path

import pytest

from retraining import locations


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Kedro project without station files, so that no developer's own files decide a test."""
    folder = tmp_path / "project"
    (folder / "data" / "01_raw").mkdir(parents=True)
    monkeypatch.setattr(locations, "PROJECT", folder)
    return folder


def test_var_is_beside_the_project_unless_the_environment_says_otherwise(
    project: Path, var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locations.var_folder() == var
    monkeypatch.delenv("RETRAINING_VAR")
    assert locations.var_folder() == project.parent / "var"


@pytest.mark.parametrize(("key", "last"), [(None, "kedro"), ("scheduled__2019", "scheduled__2019")])
def test_each_run_has_a_folder(var: Path, key: str | None, last: str) -> None:
    assert locations.run_folder("climate_brazil", key) == f"{var}/data/climate_brazil/{last}"


def test_data_may_lie_in_an_object_store(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRAINING_DATA", "s3://bucket/data/")
    assert locations.run_folder("climate_brazil", "a") == "s3://bucket/data/climate_brazil/a"


def test_a_folder_of_stations_is_read_as_it_is(
    project: Path, var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert locations.stations_folder("mine") == str(tmp_path / "mine")
    assert locations.stations_source("mine", "https://host/{file}") is None
    assert locations.refresh_folder("mine") == str(tmp_path / "mine")


def test_a_home_folder_is_expanded(var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locations.stations_folder("~/stations") == str(tmp_path / "stations")


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("https://host/stations", "https://host/stations/{file}"),
        ("https://host/stations/", "https://host/stations/{file}"),
        ("s3://bucket/x/{file}?version=3", "s3://bucket/x/{file}?version=3"),
    ],
)
def test_an_address_is_mirrored_into_a_folder_of_its_own(project: Path, var: Path, address: str, source: str) -> None:
    folder = locations.stations_folder(address)
    assert Path(folder).parent == var / "stations"
    assert folder == locations.stations_folder(address) == locations.refresh_folder(address)
    assert folder != locations.stations_folder("https://elsewhere/stations")
    assert locations.stations_source(address, "https://configured/{file}") == source


def test_without_stations_raw_files_come_before_the_sample(project: Path, var: Path) -> None:
    raw = project / "data" / "01_raw"
    assert locations.stations_folder(None) == str(var / "sample" / "stations") == str(locations.sample_folder())
    (raw / "notes.csv").touch()
    assert locations.stations_folder(None) == str(locations.sample_folder())
    (raw / "station_rio.csv").touch()
    assert locations.stations_folder(None) == str(raw)
    assert locations.refresh_folder(None) == str(raw)


@pytest.mark.parametrize("source", [None, "https://host/{file}"])
def test_the_configured_source_feeds_the_default_folder(project: Path, source: str | None) -> None:
    assert locations.stations_source(None, source) == source


def test_artifacts_of_the_embedded_store_lie_under_var(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = (var / "mlflow" / "artifacts" / "climate_brazil").as_uri()
    assert locations.artifact_location("climate_brazil") == expected
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert locations.artifact_location("climate_brazil") == expected
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert locations.artifact_location("climate_brazil") is None


def test_configuration_can_use_every_resolver() -> None:
    assert set(locations.RESOLVERS) == {
        "artifact_location",
        "raw_inputs",
        "refresh_folder",
        "run_folder",
        "stations_source",
    }


def test_production_without_a_store_for_data_is_refused(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEDRO_ENV", "prod")
    with pytest.raises(ValueError, match="RETRAINING_DATA is not set"):
        locations.run_folder("climate_brazil", None)
    monkeypatch.setenv("RETRAINING_DATA", "s3://bucket/runs")
    assert locations.raw_inputs() == "s3://bucket/runs/raw_inputs"
