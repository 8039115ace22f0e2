"""Where station files come from: brought up to date on loading, reported without secrets."""

import hashlib
import json
import os
from datetime import date
from pathlib import Path

import pytest
from kedro.io import DatasetError

from retraining.pipelines.climate_brazil.parameters import Contract
from retraining.pipelines.climate_brazil.stations import locations
from retraining.pipelines.climate_brazil.stations.datasets import StationSourceDataset
from retraining.pipelines.climate_brazil.stations.intake import read_stations
from retraining.pipelines.climate_brazil.stations.sample import is_simulated
from retraining.pipelines.climate_brazil.stations.series_list import read_series
from retraining.pipelines.climate_brazil.stations.sources import LARGEST, refresh_files
from tracked_kedro.errors import PermanentError, classified
from tracked_kedro.kedro_side.locations import raw_inputs
from tracked_kedro.kedro_side.raw_inputs import RawInputsDataset

#: Names of files, and what is said of them.
NOT_KEPT = {
    "link": "ALLOWED_SOURCES",
    "loop": "it cannot be opened",
    "gone": "a link to what is gone",
    "folder": "it is no regular file",
    "pipe": "it is no regular file",
    "large": "bytes, and more than 67,108,864 are no monthly values",
}


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


def test_in_prod_a_run_without_files_fails_and_says_why(
    raw: Path, series: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEDRO_ENV", "prod")
    with pytest.raises(DatasetError, match=rf"{raw} holds no station_\*\.csv.*ALLOW_SIMULATED=1") as refused:
        StationSourceDataset(None, None, series).load()
    assert isinstance(classified(refused.value), PermanentError)
    assert not locations.sample_folder().exists()


def test_a_fresh_stack_has_the_sample_until_it_has_read_real_files(
    raw: Path, series: str, write_station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOW_SIMULATED", "fresh")
    asked = StationSourceDataset(None, None, series)
    assert asked.load().manifest["simulated"]
    StationSourceDataset(str(write_station("belem")), None, series).load()
    with pytest.raises(DatasetError, match="has read real files before"):
        asked.load()


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


def test_a_password_in_an_address_is_refused_and_not_reported(var: Path, series: str) -> None:
    asked = StationSourceDataset("https://user:secret@host/stations", "https://user:secret@host/{file}", series)
    with pytest.raises(DatasetError, match="must not hold a user, a password") as refused:
        asked.load()
    assert "secret" not in str(refused.value) + str(asked) + str(asked._describe())


def test_what_no_list_allows_is_neither_read_nor_kept(
    raw: Path, var: Path, series: str, write_station, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = write_station("belem")
    monkeypatch.setenv("ALLOWED_SOURCES", "")
    (raw / "station_rio.csv").symlink_to(theirs / "station_belem.csv")
    for stations in (str(theirs), theirs.as_uri(), "http://127.0.0.1:9/x", f"simplecache::{theirs.as_uri()}"):
        with pytest.raises(DatasetError, match=r"ALLOWED_SOURCES|chains of file systems"):
            StationSourceDataset(stations, None, series).load()
    manifest = StationSourceDataset(None, None, series).load().manifest
    assert (manifest["files"], list(manifest["refused"])) == ({}, ["station_rio.csv"])
    assert not Path(raw_inputs()).exists()


def test_what_cannot_be_kept_costs_its_series_alone(var: Path, tmp_path: Path, write_station) -> None:
    folder = write_station("belem")

    def at(name: str) -> Path:
        return folder / f"station_{name}.csv"

    at("link").symlink_to("/etc/hostname")
    at("loop").symlink_to(at("loop").name)
    at("gone").symlink_to("not_there.csv")
    at("folder").mkdir()
    os.mkfifo(at("pipe"))
    with at("large").open("wb") as file:
        file.truncate(LARGEST + 1)
    listed = tmp_path / "series.csv"
    listed.write_text("series,label,file\n" + "".join(f"{n},{n},station_{n}.csv\n" for n in ("belem", *NOT_KEPT)))
    manifest = tmp_path / "raw_inputs.json"
    manifest.write_text(json.dumps(StationSourceDataset(str(folder), None, str(listed)).load().manifest))
    kind = {"type": "tracked_kedro.kedro_side.whole_files.BytesDataset"}
    partitions = RawInputsDataset(str(manifest), raw_inputs(), kind, ".csv").load()
    stations, rejected = read_stations(partitions, read_series(str(listed)), [], Contract(), date(2024, 1, 1))
    assert list(stations) == ["belem"]
    reasons = {row.series: row.reason for row in rejected}
    assert reasons.keys() == NOT_KEPT.keys()
    for name, words in NOT_KEPT.items():
        assert reasons[name].startswith(f"station_{name}.csv: ")
        assert words in reasons[name]


@pytest.mark.parametrize("place", ["header", "year", "cell", "twice", "order", "bytes", "wide", "all"])
def test_a_secret_in_a_file_of_any_shape_is_in_no_error(
    series: str, tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    canary = "c4n4ry7f3a"
    header, cells = "YEAR,JAN,FEB,MAR,APR,MAY,JUN,JUL,AUG,SEP,OCT,NOV,DEC", ",1" * 12
    text = {
        "header": f"YEAR,{canary},FEB\n1961,1,2\n",
        "year": f"{header}\n{canary}{cells}\n",
        "cell": f"{header}\n1961{cells[:-2]},{canary}\n",
        "twice": f"{header}\n1961{cells}\n1961{cells[:-2]},{canary}\n",
        "order": f"{header}\n1962{cells}\n1961{cells[:-2]},{canary}\n",
        "bytes": f"{header}\n1961{cells[:-2]},{canary}\udcff\n",
        "wide": f"{header}\n1961{cells},{canary},{canary}\n",
        "all": f"{canary}={canary}\0{canary}",
    }[place]
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "station_belem.csv").write_bytes(text.encode(errors="surrogateescape"))
    entries = read_series(series)
    report = refresh_files(f"{folder}/{{file}}", {"belem": "station_belem.csv"}, tmp_path / "fetched")
    partitions = {"station_belem": (folder / "station_belem.csv").read_bytes}
    _, rejected = read_stations(partitions, entries, [], Contract(), date(2024, 1, 1))
    assert rejected[0].series == "belem"
    assert canary not in f"{report}{rejected}{caplog.text}"
