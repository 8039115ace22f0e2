import logging
import os
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.io import DataCatalog, DatasetError

from retraining.pipelines.climate_brazil.errors import (
    BadInputError,
    BadSeriesError,
    CutoffError,
    MissingStationError,
    TooFewSeriesError,
    TrainingTooShortError,
    UnknownSeriesError,
)
from retraining.pipelines.climate_brazil.parameters import Contract
from retraining.pipelines.climate_brazil.run_nodes import split
from retraining.pipelines.climate_brazil.stations.holdout import too_short, train_test_split
from retraining.pipelines.climate_brazil.stations.processing import (
    data_digest,
    process_datasets,
    series_ids,
    to_series,
)

REPOSITORY = Path(__file__).resolve().parents[3]
REAL = (REPOSITORY / os.environ.get("RETRAINING_TEST_DATA", "../shared/data") / "stations").resolve()
TODAY = date(2020, 1, 15)
ENTRIES = {
    "north": {"label": "Norte", "file": "station_north.csv"},
    "south": {"label": "Sul", "file": "station_south.csv"},
}
CONTRACT = {"value_range": [-30, 50], "min_months": 24, "on_bad_series": "quarantine", "min_series": 1,
            "on_short_series": "refuse"}  # fmt: skip
HEADER = "YEAR,JAN,FEB,MAR,APR,MAY,JUN,JUL,AUG,SEP,OCT,NOV,DEC,D-J-F,M-A-M,J-J-A,S-O-N,metANN"
# What the project's catalog says of the stations folder.
CATALOG = """
type: partitions.PartitionedDataset
path: {folder}
filename_suffix: .csv
dataset: tracked_kedro.kedro_side.whole_files.BytesDataset
"""


def station(first=2015, last=2019, **cells):
    """Rows of a good file, `last` observed until October; `y2017_MAR="x"` replaces one cell."""
    months = HEADER.split(",")[1:13]
    rows = [HEADER]
    for year in range(first, last + 1):
        row = ["999.90" if year == last and month in ("NOV", "DEC") else "20.50" for month in months]
        for name, text in cells.items():
            if name.startswith(f"y{year}_"):
                row[months.index(name[6:])] = text
        rows.append(",".join([str(year), *row, *["1.00"] * 5]))
    return "\n".join(rows) + "\n"


@pytest.fixture
def partitions(tmp_path):
    """Writes files and loads them as Kedro does: through the catalog entry, not through polars alone."""

    def load(**files):
        folder = tmp_path / "stations"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            (folder / f"station_{name}.csv").write_bytes(data)
        return DataCatalog.from_config({"raw": yaml.safe_load(CATALOG.format(folder=folder))}).load("raw")

    return load


def process(
    partitions,
    series=(),
    cutoff=None,
    entries=ENTRIES,
    today=TODAY,
    testing_window=0,
    history_start=None,
    **contract,
):
    split = {"testing_window": testing_window, "history_start": history_start}
    rules = Contract(**CONTRACT | contract)
    return process_datasets(partitions, entries, series, cutoff, rules, today=today, **split)[:3]


def test_good_stations_become_one_table(partitions, caplog):
    caplog.set_level(logging.INFO)
    table, quarantine, months = process(partitions(south=station(), north=station(2016)))
    assert table.columns == ["series", "date", "temperature"]
    assert series_ids(table) == ["north", "south"]
    assert quarantine.is_empty()
    assert quarantine.columns == ["series", "label", "file", "reason"]
    assert months == {
        "cutoff": "2019-11-01",
        "month": "2019-10",
        "newest_observation": "2019-10-01",
        "n_series": 2,
        "n_quarantined": 0,
        "flagged_share": 0.0,
    }
    assert "Norte (north): 46 months observed, 2016-01 to 2019-10\n" in caplog.text


def test_months_that_are_not_trained_on_are_counted(partitions, caplog):
    caplog.set_level(logging.INFO)
    process(partitions(south=station(), north=station(2016)), history_start=date(2017, 1, 1))
    assert "Norte (north): 46 months observed, 2016-01 to 2019-10; 34 of them since 2017-01 are used" in caplog.text


def test_crlf_and_bom_change_nothing(partitions):
    plain = process(partitions(north=station(), south=station()))[0]
    windows = ("\ufeff" + station().replace("\n", "\r\n")).encode()
    assert process(partitions(north=station(), south=windows))[0].equals(plain)


BAD_FILES = {
    "empty": ("", "the file is empty"),
    "month lacking": (station().replace("MAR,", "", 1), "line 1: the header lacks MAR"),
    "text": (station(y2016_MAR="warm"), "line 3, column MAR: 4 characters: letters, which is not a number"),
    "duplicated year": (
        station() + station().splitlines()[2] + "\n",
        "lines 3 and 7, column YEAR: the same year",
    ),
    "order": (
        station(2016) + station(2015, 2015).splitlines()[1],
        "line 6, column YEAR: an earlier year than that of line",
    ),
    "all missing": (station().replace("20.50", "999.90"), "all 60 months are missing"),
    "too few months": (station(2018), "22 observed months: fewer than min_months = 24"),
    "999": (station(y2017_FEB="999"), "line 4, column FEB (2017-02): outside value_range [-30, 50]"),
    "-9999": (
        station(y2017_FEB="-9999"),
        "line 4, column FEB (2017-02): outside value_range [-30, 50]",
    ),
    "latin-1": (
        station(y2017_FEB="20°").encode("latin-1"),
        "line 4, column FEB: the file is not UTF-8",
    ),
    "decimal comma": (station(y2017_FEB="20,5"), "a line has more cells than the header (a decimal comma?)"),
    "web page": ("<html><p>404</p></html>", "the file is a page or XML, no table (an error page?)"),
}


@pytest.mark.parametrize(("content", "reason"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_file_is_quarantined_with_its_reason(partitions, caplog, content, reason):
    table, quarantine, months = process(partitions(north=content, south=station()))
    assert series_ids(table) == ["south"]
    assert (months["n_series"], months["n_quarantined"]) == (1, 1)
    row = quarantine.row(0, named=True)
    assert (row["series"], row["label"], row["file"]) == ("north", "Norte", "station_north.csv")
    assert row["reason"].startswith("station_north.csv")
    assert reason in row["reason"]
    assert f"Norte (north) is set aside: {row['reason']}" in caplog.text
    ours = [record for record in caplog.records if record.name.startswith("retraining")]
    assert ours[0].levelno == logging.WARNING


@pytest.mark.parametrize(("content", "reason"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_file_fails_the_run_where_that_is_asked(partitions, content, reason):
    with pytest.raises(BadSeriesError, match="on_bad_series: quarantine") as caught:
        process(partitions(north=content, south=station()), on_bad_series="fail")
    assert reason in str(caught.value)


def test_fail_names_every_bad_station(partitions):
    with pytest.raises(BadSeriesError) as caught:
        process(partitions(north="", south=station(y2016_MAR="x")), on_bad_series="fail")
    assert "station_north.csv: the file is empty" in str(caught.value)
    assert "station_south.csv, line 3, column MAR" in str(caught.value)


def test_too_few_series_list_all_reasons(partitions):
    with pytest.raises(TooFewSeriesError, match="1 usable series remain, min_series asks for 2") as caught:
        process(partitions(north="", south=station()), min_series=2)
    assert "station_north.csv: the file is empty" in str(caught.value)


def test_no_usable_series_is_an_error_whatever_min_series_says(partitions):
    with pytest.raises(TooFewSeriesError, match="0 usable"):
        process(partitions(north="", south=""))


def test_min_series_counts_the_selection(partitions):
    # SERIES=north is one series by a person's choice; min_series guards against losing stations.
    table, _, _ = process(partitions(north=station(), south=station()), series=["north"], min_series=2)
    assert series_ids(table) == ["north"]
    with pytest.raises(TooFewSeriesError, match="0 usable series remain, min_series asks for 1"):
        process(partitions(north="", south=station()), series=["north"], min_series=2)


def test_an_empty_folder_is_an_error(partitions):
    with pytest.raises(DatasetError, match="No partitions found"):
        partitions()
    with pytest.raises(TooFewSeriesError, match=r"no station files .* run `make data` or set STATIONS"):
        process({})


def test_a_file_without_an_entry_is_quarantined(partitions):
    table, quarantine, _ = process(partitions(north=station(), south=station(), east=station()))
    assert series_ids(table) == ["north", "south"]
    row = quarantine.row(0, named=True)
    assert (row["series"], row["label"], row["file"]) == ("east", "", "station_east.csv")
    assert "no entry in conf names this file; add an entry" in row["reason"]
    # Who asks for one series is not told about other files.
    assert process(partitions(), series=["north"])[1].is_empty()


def test_an_entry_without_a_file_is_quarantined_unless_asked_for(partitions):
    files = partitions(south=station())
    _, quarantine, _ = process(files)
    assert "station_north.csv: the file is absent" in quarantine["reason"][0]
    with pytest.raises(MissingStationError, match=r"station_north\.csv: the file is absent; fetch it"):
        process(files, series=["north"])


def test_an_unknown_series_names_the_allowed_ones(partitions):
    with pytest.raises(UnknownSeriesError, match="unknown series: 'west'; allowed are north, south"):
        process(partitions(north=station()), series=["north", "west"])


def test_a_selection_keeps_the_order_of_the_entries_and_may_be_a_comma_list(partitions):
    files = partitions(north=station(), south=station(), east=station())
    for series in (["south", "north"], "south, north", ("north", "south", "north")):
        assert series_ids(process(files, series=series)[0]) == ["north", "south"]


def test_a_bad_station_that_was_not_asked_for_does_no_harm(partitions):
    files = partitions(north=station(), south="")
    assert process(files, series=["north"], on_bad_series="fail")[2]["n_series"] == 1


@pytest.mark.parametrize("cutoff", ["2018-01-01", date(2018, 1, 1)])
def test_nothing_on_or_after_the_cutoff_is_read(partitions, cutoff):
    files = partitions(north=station(y2018_JAN="?", y2019_MAR="-9999"), south=station())
    table, quarantine, months = process(files, cutoff=cutoff)
    assert table["date"].max() == date(2017, 12, 1)
    assert quarantine.is_empty()
    assert (months["cutoff"], months["month"]) == ("2018-01-01", "2017-12")


def test_the_cutoff_may_lie_past_the_newest_observation(partitions):
    months = process(partitions(north=station(), south=station()), cutoff="2020-01-01")[2]
    assert (months["month"], months["newest_observation"]) == ("2019-12", "2019-10-01")


@pytest.mark.parametrize(
    ("cutoff", "message"),
    [
        ("2018-01-15", "is not the first of a month; write 2018-01-01 or 2018-02-01"),
        ("2018-13-01", "'2018-13-01' is not a date"),
        ("soon", "'soon' is not a date; write the first of a month"),
        ("2015-01-01", "is before the data, which begins in 2015-01"),
        ("1900-01-01", "is before the data, which begins in 2015-01"),
        ("2020-02-01", "is in the future: 2020-01-01 is the latest"),
    ],
)
def test_an_impossible_cutoff_is_refused(partitions, cutoff, message):
    with pytest.raises(CutoffError, match=message):
        process(partitions(north=station(2016), south=station()), cutoff=cutoff)


def test_a_station_that_begins_after_the_cutoff_is_set_aside_alone(partitions):
    table, quarantine, _ = process(partitions(north=station(2019), south=station()), cutoff="2018-01-01")
    assert series_ids(table) == ["south"]
    assert "no month is observed before the cutoff 2018-01-01" in quarantine["reason"][0]


def test_without_a_cutoff_the_unfinished_month_is_not_read(partitions):
    files = partitions(north=station(2015, 2020, y2020_FEB="x"), south=station())
    assert process(files)[2]["cutoff"] == "2020-01-01"


def a_table(months=60, gaps=(), series="a", first=(2000, 1)):
    days = [date(first[0] + (first[1] - 1 + k) // 12, (first[1] - 1 + k) % 12 + 1, 1) for k in range(months)]
    values = [None if k in gaps else 20.0 + k / 100 for k in range(months)]
    schema = {"series": pl.String, "date": pl.Date, "temperature": pl.Float64}
    return pl.DataFrame({"series": [series] * months, "date": days, "temperature": values}, schema=schema)


@settings(max_examples=40, deadline=None)
@given(window=st.integers(1, 30), gaps=st.sets(st.integers(1, 78), max_size=20), shorter=st.integers(0, 12))
def test_the_split_holds_out_calendar_months_of_each_series(window, gaps, shorter):
    table = pl.concat([a_table(80, gaps), a_table(80 - shorter, series="b")])
    train, test = train_test_split(table, window)
    assert pl.concat([train, test]).sort("series", "date").equals(table)
    for name, length in (("a", 80), ("b", 80 - shorter)):
        held = test.filter(pl.col("series") == name)
        assert held.height == window
        assert held["date"].max() == table.filter(pl.col("series") == name)["date"][length - 1]
        assert train.filter(pl.col("series") == name)["date"].max() < held["date"].min()


def test_a_null_month_inside_the_window_stays_null():
    train, test = train_test_split(a_table(60, gaps={52, 55}), 12)
    assert (train.height, test.height, test["temperature"].null_count()) == (48, 12, 2)


def test_a_series_of_which_too_little_would_be_left_costs_the_others_nothing():
    table = pl.concat([a_table(60, series="long"), a_table(35, series="short"), a_table(10, series="tiny")])
    train, test = train_test_split(table, 12)
    assert train.filter(pl.col("series") == "long").height == 48
    assert test["series"].unique(maintain_order=True).to_list() == ["long", "short", "tiny"]
    reasons = too_short(table, 12)
    assert list(reasons) == ["short", "tiny"]
    assert reasons["short"].startswith("23 observed months are left to train on")
    assert reasons["tiny"].startswith("no observed months are left")
    with pytest.raises(TrainingTooShortError, match=r"short: 23 observed .* tiny: no observed"):
        train_test_split(table.filter(pl.col("series") != "long"), 12)
    with pytest.raises(BadInputError, match="testing_window is 0"):
        train_test_split(table, 0)


# As in a station that was closed long ago, one that was closed just after, and one that was opened again.
@pytest.mark.parametrize("years", [[(1900, 1955)], [(1935, 1962)], [(1900, 1955), (2018, 2019)]], ids=str)
def test_a_record_without_enough_months_after_the_history_start_is_set_aside_alone(partitions, years):
    rows = [row for first, last in years for row in station(first, last).splitlines()[1:]]
    closed = "\n".join([HEADER, *rows]) + "\n"
    files, options = partitions(north=closed, south=station(2000)), {"history_start": date(1961, 1, 1)}
    table, quarantine, months = process(files, testing_window=12, **options)
    assert series_ids(table) == ["south"]
    assert (months["n_series"], months["n_quarantined"]) == (1, 1)
    assert "observed months from history_start = 1961-01-01 on are left to train on" in quarantine["reason"][0]
    assert quarantine["reason"][0].startswith("station_north.csv: ")
    with pytest.raises(BadSeriesError, match="history_start"):
        process(files, testing_window=12, on_bad_series="fail", **options)
    with pytest.raises(TooFewSeriesError, match="history_start"):
        process(files, series=["north"], testing_window=12, **options)


def test_months_before_the_history_start_are_not_trained_on():
    table = pl.concat([a_table(60), a_table(60, series="b", first=(2003, 1))])
    train, test = train_test_split(table, 12, history_start=date(2002, 1, 1))
    assert test.equals(train_test_split(table, 12)[1])
    first = dict(train.group_by("series").agg(pl.col("date").min()).iter_rows())
    assert first == {"a": date(2002, 1, 1), "b": date(2003, 1, 1)}
    reasons = too_short(table, 12, history_start=date(2003, 1, 1))
    assert list(reasons) == ["a"]
    assert reasons["a"].startswith("12 observed months from history_start = 2003-01-01 on")
    assert "a history_start before 2003-01-01" in reasons["a"]


def test_a_short_record_is_kept_to_borrow_unless_it_ends_before_the_history_starts(partitions):
    files = partitions(south=station(), north=station(2019))
    table, quarantine, _ = process(files, on_short_series="borrow", testing_window=12, history_start=date(1961, 1, 1))
    assert series_ids(table) == ["north", "south"] and quarantine.is_empty()
    table, quarantine, _ = process(
        partitions(south=station(), north=station(1950, 1955)),
        on_short_series="borrow", testing_window=12, history_start=date(1961, 1, 1),
    )  # fmt: skip
    assert series_ids(table) == ["south"]
    assert "its newest observation, 1955-10-01, is before history_start = 1961-01-01" in quarantine["reason"][0]


def test_a_short_series_alone_is_split_where_it_may_borrow():
    table = a_table(20)
    assert list(split(table, 12, None, Contract())[2]) == ["a"]
    with pytest.raises(TrainingTooShortError, match="lower testing_window"):
        split(table, 12, None, Contract(on_short_series="refuse"))


def test_a_series_has_a_complete_grid_with_nan_for_missing_months():
    table = pl.concat([a_table(30, gaps={4}, first=(1999, 11)), a_table(series="b")])
    series = to_series(table.filter((pl.col("date") != date(2000, 1, 1)) | (pl.col("series") == "b")), "a")
    assert (series.id, series.first_month) == ("a", np.datetime64("1999-11", "M"))
    assert series.values.shape == (30,)
    assert np.flatnonzero(np.isnan(series.values)).tolist() == [2, 4]
    assert series.values[29] == pytest.approx(20.29)
    with pytest.raises(UnknownSeriesError, match="no series 'c' in the table; it has a, b"):
        to_series(table, "c")


def test_the_digest_depends_on_dates_and_values_only():
    table = a_table(30, gaps={4})
    assert data_digest(table) == data_digest(table.reverse()) == data_digest(a_table(30, gaps={4}, series="b"))
    assert data_digest(table) != data_digest(a_table(30, gaps={5}))
    assert data_digest(table) != data_digest(a_table(30, gaps={4}, first=(2000, 2)))
    # Written down, so that a change of polars, Python or this code that would retrain everything is noticed.
    assert data_digest(a_table(2)) == "ad40d88e6bdb0b52"


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real station files at {REAL} (RETRAINING_TEST_DATA)")
def test_the_real_files_are_all_accepted():
    files = DataCatalog.from_config({"raw": yaml.safe_load(CATALOG.format(folder=REAL))}).load("raw")
    entries = {key.removeprefix("station_"): {"label": key, "file": f"{key}.csv"} for key in files}
    table, quarantine, months = process(files, entries=entries, min_months=120, min_series=12)
    assert quarantine.is_empty()
    assert (months["n_series"], months["cutoff"]) == (12, "2019-11-01")
    observed = table.group_by("series").agg(pl.col("temperature").count())["temperature"]
    assert (observed.min(), observed.max()) == (380, 1170)
    _, test = train_test_split(table, 12)
    assert test.height == 144
