"""Where station files come from: brought up to date on loading, reported without secrets."""

import hashlib
from pathlib import Path

import pytest

from retraining.pipelines.climate_brazil.stations import locations
from retraining.pipelines.climate_brazil.stations.datasets import StationSourceDataset
from retraining.pipelines.climate_brazil.stations.sample import is_simulated
from tracked_kedro.kedro_side.locations import raw_inputs


@pytest.fixture
def series(tmp_path: Path) -> str:
    """A list of two series."""
    path = tmp_path / "series.csv"
    path.write_text("series,label,file\nbelem,Belém,station_belem.csv\nrio,Rio de Janeiro,station_rio.csv\n")
    return str(path)


@pytest.fixture
def raw(tmp_path: Path, var: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`data/01_raw` of a project without station files."""
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(tmp_path / "project"))
    folder = tmp_path / "project" / "data" / "01_raw"
    folder.mkdir(parents=True)
    return folder


def test_with_nothing_else_the_sample_is_written_and_says_so(raw: Path, series: str) -> None:
    manifest = StationSourceDataset(None, None, series).load().manifest
    sample = locations.sample_folder()
    assert {path.name for path in sample.glob("station_*.csv")} == {"station_belem.csv", "station_rio.csv"}
    assert is_simulated(sample)
    assert (manifest["origin"], manifest["simulated"]) == ("simulated sample", True)


def test_a_folder_is_read_as_it_is(raw: Path, series: str, write_station) -> None:
    folder = write_station("belem")
    before = sorted(folder.iterdir())
    manifest = StationSourceDataset(str(folder), "https://host/{file}", series).load().manifest
    assert sorted(folder.iterdir()) == before
    assert not locations.sample_folder().exists()
    assert (manifest["origin"], manifest["simulated"]) == (str(folder), False)
    # What the run will read is kept by content, beside the data of the runs.
    (digest,) = manifest["files"].values()
    assert manifest["files"] == {"station_belem.csv": digest}
    kept = Path(raw_inputs()) / digest
    assert kept.read_bytes() == (folder / "station_belem.csv").read_bytes()
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == digest


def test_a_configured_source_fills_the_raw_folder(raw: Path, series: str, write_station) -> None:
    source = f"{write_station('belem', 'rio')}/{{file}}"
    manifest = StationSourceDataset(None, source, series).load().manifest
    assert {path.name for path in raw.glob("station_*.csv")} == {"station_belem.csv", "station_rio.csv"}
    assert not locations.sample_folder().exists()
    assert manifest["simulated"] is False


def test_an_address_is_mirrored_beside_the_raw_folder(raw: Path, series: str, write_station) -> None:
    address = write_station("belem", "rio").as_uri()
    StationSourceDataset(address, None, series).load()
    mirror = Path(locations.stations_folder(address))
    assert {path.name for path in mirror.glob("station_*.csv")} == {"station_belem.csv", "station_rio.csv"}
    assert list(raw.iterdir()) == []


def test_a_password_in_an_address_is_not_reported(var: Path, series: str) -> None:
    source = StationSourceDataset("https://user:secret@host/stations", "https://user:secret@host/{file}", series)
    origin = source._manifest()["origin"]
    assert "host/stations" in origin
    assert "secret" not in origin + str(source) + str(source._describe())
