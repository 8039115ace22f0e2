"""The list of series: what stands in it, and what is wrong with it by file and line."""

from pathlib import Path

import pytest
from kedro.io import DatasetError

from retraining.pipelines.climate_brazil.stations.series_list import (
    SeriesListDataset,
    SeriesListError,
    form_choices,
    read_series,
)
from tests.deployment import ROOT

HEADER = "series,label,file\n"


@pytest.fixture
def listed(tmp_path: Path):
    """A list of series with this content: its path."""

    def write(content: str | bytes) -> str:
        path = tmp_path / "series.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def test_ids_labels_and_files_in_the_order_of_the_file(listed) -> None:
    text = 'rio,"Rio, the city",station_rio.csv\n\nbelem, Belém ,station_belem.csv\n'
    read = read_series(listed(HEADER + text))
    assert list(read) == ["rio", "belem"]
    assert read["rio"] == {"label": "Rio, the city", "file": "station_rio.csv"}
    assert read["belem"]["label"] == "Belém"


def test_what_spreadsheet_programs_write_is_read(listed) -> None:
    assert list(read_series(listed(b"\xef\xbb\xbfseries,label,file\r\nrio,Rio,r.csv\r\n"))) == ["rio"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", r"series\.csv, line 1: the header must be series,label,file"),
        ("id;label;file\n", "line 1: the header must be series,label,file"),
        (HEADER, r"series\.csv: no series; write a line for each"),
        (
            HEADER + "rio,Rio,r.csv\nbelem,Belém\n",
            "line 3: write series,label,file, each of them$",
        ),
        (HEADER + "rio,,r.csv\n", "line 2: write series,label,file, each"),
        (HEADER + "rio,Rio,r.csv\nrio,Rio,q.csv\n", "line 3: the id stands in line 2 already"),
        (HEADER + "rio,Rio,r.csv\nRIO,Rio,q.csv\n", "line 3: the id stands in line 2 already"),
        (HEADER + "r" * 101 + ",Rio,r.csv\n", "line 2: an id names files; write it with at most 100 bytes"),
        (HEADER + "../rio,Rio,r.csv\n", r"line 2: the id names files"),
        (HEADER + "..,Rio,r.csv\n", r"line 2: the id names files"),
        (HEADER + 'rio,"Rio,r.csv\n', "line 2: not CSV"),
        (HEADER.encode() + b"belem,Bel\xe9m,b.csv\n", "line 2: not UTF-8"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_by_file_and_line(listed, content: str | bytes, reason: str) -> None:
    with pytest.raises(SeriesListError, match=reason):
        read_series(listed(content))


def test_an_absent_list_is_named_with_the_place_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.csv: there is no such list.*globals\.yml") as raised:
        SeriesListDataset(str(tmp_path / "none.csv")).load()
    # What a task's retries judge by: bad input, which no retry cures.
    assert isinstance(raised.value.__cause__, SeriesListError)


def test_the_form_chooses_from_200_series_at_most(listed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(tmp_path))
    for count, choices in ((200, 200), (201, 0)):
        listed(HEADER + "".join(f"s{n},Station {n},s{n}.csv\n" for n in range(count)))
        assert len(form_choices("series.csv") or {}) == choices


def test_the_configuration_of_a_task_does_not_grow_with_the_fleet(var: Path) -> None:
    """What Kedro resolves for every task holds the list's address, and no series."""
    from retraining.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS

    loader = CONFIG_LOADER_CLASS(str(ROOT / "kedro_project" / "conf"), **CONFIG_LOADER_ARGS)
    entries = read_series(str(ROOT / "kedro_project" / loader["globals"]["climate_brazil_series"]))
    resolved = f"{loader['catalog']}{loader['parameters']}{loader['mlflow']}"
    assert [entry["file"] for entry in entries.values() if entry["file"] in resolved] == []


def test_a_series_may_belong_to_a_group(tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text("series,label,file,group\nrio,Rio,station_rio.csv,coast\nmanaus,Manaus,station_manaus.csv,\n")
    entries = read_series(str(path))
    assert entries["rio"] == {"label": "Rio", "file": "station_rio.csv", "group": "coast"}
    assert "group" not in entries["manaus"]
