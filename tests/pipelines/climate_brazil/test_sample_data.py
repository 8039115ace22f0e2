import subprocess
import sys

import polars as pl
import pytest

from retraining.pipelines.climate_brazil.stations.names import MONTHS
from retraining.pipelines.climate_brazil.stations.parsing import parse_station
from retraining.pipelines.climate_brazil.stations.sample import (
    CLIMATES,
    HEADER,
    MARKER,
    is_simulated,
    station_text,
    write_sample,
)
from retraining.pipelines.climate_brazil.stations.sheet import read_sheet

ENTRIES = {name: {"label": name, "file": f"station_{name}.csv"} for name in CLIMATES}


def table(series):
    file = f"station_{series}.csv"
    return parse_station(read_sheet(station_text(series).encode(), file), file=file).table(series)


def longest_gap(values):
    longest = run = 0
    for value in values:
        run = run + 1 if value is None else 0
        longest = max(longest, run)
    return longest


def share_missing(series):
    cells = [cell for line in station_text(series).splitlines()[1:] for cell in line.split(",")[1:13]]
    return cells.count("999.90") / len(cells)


def test_every_entry_gets_a_file_and_the_folder_says_that_it_is_simulated(tmp_path):
    assert not is_simulated(tmp_path)
    paths = write_sample(tmp_path / "sample", ENTRIES)
    assert [path.name for path in paths] == [entry["file"] for entry in ENTRIES.values()]
    assert len(paths) == 12
    assert is_simulated(tmp_path / "sample")
    assert "simulated sample" in (tmp_path / "sample" / MARKER).read_text()
    assert {path.name for path in (tmp_path / "sample").iterdir()} == {MARKER, *(path.name for path in paths)}


def test_the_same_bytes_each_time(tmp_path):
    first = {path.name: path.read_bytes() for path in write_sample(tmp_path, ENTRIES)}
    assert {path.name: path.read_bytes() for path in write_sample(tmp_path, ENTRIES)} == first
    # Nor may a station depend on which others are written, or on their order.
    alone = write_sample(tmp_path / "alone", {"rio": ENTRIES["rio"]})[0]
    assert alone.read_bytes() == first["station_rio.csv"]


def test_files_that_are_not_simulated_are_never_overwritten(tmp_path):
    real = tmp_path / "station_rio.csv"
    real.write_text("YEAR\n")
    with pytest.raises(FileExistsError, match="choose another folder"):
        write_sample(tmp_path, ENTRIES)
    assert real.read_text() == "YEAR\n"
    assert not is_simulated(tmp_path)


@pytest.mark.parametrize("series", CLIMATES)
def test_a_station_looks_like_a_real_one(series):
    lines = station_text(series).splitlines()
    assert lines[0] == HEADER
    assert all(len(line.split(",")) == 18 for line in lines)
    assert all(len(cell.split(".")[1]) == 2 for line in lines[1:] for cell in line.split(",")[1:])
    assert lines[-1].split(",")[11:13] == ["999.90", "999.90"]
    one = table(series)
    assert f"{one['date'].max():%Y-%m}" == "2019-10"
    assert longest_gap(one["temperature"]) == CLIMATES[series].longest_gap
    assert share_missing(series) == pytest.approx(CLIMATES[series].missing, abs=0.001)
    month = pl.col("date").dt.month()
    means = one.group_by(month).agg(pl.col("temperature").mean()).sort("date")["temperature"]
    assert means.to_list() == pytest.approx(CLIMATES[series].normals, abs=0.75)


def test_the_fleet_spans_what_real_records_span():
    lengths = [len(station_text(series).splitlines()) - 1 for series in CLIMATES]
    assert (min(lengths), max(lengths)) == (41, 110)
    shares = [share_missing(series) for series in CLIMATES]
    assert (round(min(shares), 3), round(max(shares), 3)) == (0.056, 0.284)
    assert max(longest_gap(table(series)["temperature"]) for series in CLIMATES) == 55
    assert any(table(series)["date"][0].month == 12 for series in CLIMATES)


def test_the_trend_is_warming_and_months_are_autocorrelated():
    for series in CLIMATES:
        year = pl.col("date").dt.year()
        anomaly = pl.col("temperature") - pl.col("temperature").mean().over(pl.col("date").dt.month())
        one = table(series).with_columns(anomaly=anomaly, year=year)
        slope, memory = one.select(
            pl.cov("year", "anomaly") / pl.col("year").filter(pl.col("anomaly").is_not_null()).var(),
            pl.corr("anomaly", pl.col("anomaly").shift(1)).alias("memory"),
        ).row(0)
        assert slope > 0
        assert memory > 0.05


def test_season_columns_follow_the_months_that_are_observed():
    rows = {line.split(",")[0]: line.split(",") for line in station_text("rio").splitlines()[1:]}
    autumn = [float(cell) for cell in rows["2019"][3:6]]
    assert float(rows["2019"][14]) == pytest.approx(sum(autumn) / 3, abs=0.006)
    assert "999.90" not in autumn


def test_an_unknown_id_gets_a_climate_of_its_own():
    assert table("elsewhere")["temperature"].count() > 400
    assert station_text("elsewhere") != station_text("nowhere")
    assert set(MONTHS) < set(HEADER.split(","))


def test_the_command_writes_the_sample(tmp_path):
    command = [sys.executable, "-m", "retraining.pipelines.climate_brazil.stations.sample"]
    done = subprocess.run([*command, str(tmp_path / "s")], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 12
    assert is_simulated(tmp_path / "s")
    wrong = subprocess.run(command, capture_output=True, text=True, check=False)
    assert wrong.returncode == 1
    assert "usage" in wrong.stderr
