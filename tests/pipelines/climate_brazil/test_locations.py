"""Where station files are: each function for each way a deployment may be set up."""

from pathlib import Path

import pytest

from retraining.pipelines.climate_brazil.stations import locations


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Kedro project without station files, so that no developer's own files decide a test."""
    folder = tmp_path / "project"
    (folder / "data" / "01_raw").mkdir(parents=True)
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(folder))
    return folder


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
