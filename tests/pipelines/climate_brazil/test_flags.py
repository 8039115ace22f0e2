"""Observations that cannot be: found in made-up and real stations, and what becomes of them."""

from __future__ import annotations

import unicodedata
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from retraining.pipelines.climate_brazil.errors import TooFewSeriesError
from retraining.pipelines.climate_brazil.parameters import Contract, Flags
from retraining.pipelines.climate_brazil.report.inputs import RunFacts
from retraining.pipelines.climate_brazil.stations.flags import COPY, JUMP, OUTLIER, RUN, UNIT, find_flags
from retraining.pipelines.climate_brazil.stations.processing import Intake, process_datasets
from tests.deployment import ROOT
from tracked_kedro.kedro_side.sessions import Session

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def history(name: str, seed: int, years: int = 40, last: int = 2019, mean: float = 25.0) -> pl.DataFrame:
    """A season of 3 °C, a trend and noise."""
    months = np.arange(np.datetime64(f"{last - years + 1}-01"), np.datetime64(f"{last + 1}-01"))
    noise = np.random.default_rng(seed).normal(0, 0.7, len(months))
    values = np.round(mean + 3 * np.cos(np.arange(len(months)) / 6 * np.pi) + 0.001 * np.arange(len(months)) + noise, 2)
    dates = pl.Series(months.astype("datetime64[D]")).cast(pl.Date)
    return pl.DataFrame({"series": name, "date": dates, "temperature": values})


FLEET = pl.concat(history(f"s{seed}", seed) for seed in range(4))


def changed(value: Any, *, of: str = "s1", when: pl.Expr) -> pl.DataFrame:
    there = (pl.col("series") == of) & when
    return FLEET.with_columns(temperature=pl.when(there).then(value).otherwise("temperature"))


def flags_of(table: pl.DataFrame, groups: dict[str, str] | None = None, **rules: Any) -> pl.DataFrame:
    return find_flags(table, groups or {}, Flags(**rules))


def after(year: int) -> pl.Expr:
    return pl.col("date").dt.year() >= year


def test_sound_histories_have_none() -> None:
    assert flags_of(FLEET).is_empty()


def test_the_real_stations_have_at_most_one_in_a_thousand(real_data: Path) -> None:
    intake = process_folder(real_data / "stations")
    assert intake.months["n_series"] == 12
    assert intake.months["cutoff"] == "2019-11-01"
    assert intake.flags.height <= intake.table["temperature"].count() / 1000


@pytest.mark.parametrize("keyed", [0.0, -9.9, 9.99, 45.0])
def test_missing_months_keyed_as_a_number_are_impossible_in_their_months(keyed: float) -> None:
    where = pl.col("date").dt.year().is_in([1985, 1991, 1999, 2007, 2015]) & (pl.col("date").dt.month() % 2 == 0)
    found = flags_of(changed(keyed, when=where))
    assert set(found.select("series", "temperature").rows()) == {("s1", keyed)}
    assert found.height == 5 * 6
    assert set(found["kind"]) == {OUTLIER}
    assert "its own February months allow" in found["reason"][0]


def test_what_one_month_allows_another_does_not() -> None:
    # 29 °C is every January, and no July.
    found = flags_of(changed(29.0, when=pl.col("date") == date(2000, 7, 1)))
    assert found.select("date", "kind").rows() == [(date(2000, 7, 1), OUTLIER)]


def test_degrees_fahrenheit_are_told_apart() -> None:
    found = flags_of(changed(pl.col("temperature") * 1.8 + 32, when=after(2015)))
    assert found.filter(pl.col("kind") == UNIT).height == 60
    assert set(found["series"]) == {"s1"}
    assert found["reason"].str.contains("reads like °F").sum() == 60


def test_a_run_of_equal_values_is_flagged_but_for_its_first() -> None:
    filled = changed(24.44, when=pl.col("date").is_between(date(2010, 4, 1), date(2010, 9, 1)))
    found = flags_of(filled)
    assert found["kind"].to_list() == [RUN] * 5
    assert found["date"][0] == date(2010, 5, 1)
    assert "the same value 6 times from 2010-04 on" in found["reason"][0]
    assert flags_of(filled, equal_values=7).is_empty()


def test_values_that_are_rounded_coarsely_may_repeat() -> None:
    assert flags_of(FLEET.with_columns(pl.col("temperature").round(0))).is_empty()


@pytest.mark.parametrize("size", [-4.0, 3.0])
def test_a_jump_of_the_level_is_flagged_where_it_begins(size: float) -> None:
    found = flags_of(changed(pl.col("temperature") + size, when=after(2001)))
    (jump,) = found.filter(pl.col("kind") == JUMP).iter_rows(named=True)
    assert jump["series"] == "s1"
    assert abs((jump["date"] - date(2001, 1, 1)).days) < 130
    assert ("warmer" if size > 0 else "colder") in jump["reason"]
    assert found.height == 1


def test_a_series_that_equals_another_is_flagged_and_the_other_is_not() -> None:
    copy = FLEET.filter(pl.col("series") == "s1").with_columns(series=pl.lit("twin")).tail(400)
    found = flags_of(pl.concat([FLEET, copy]))
    assert set(found["series"]) == {"twin"}
    assert set(found["kind"]) == {COPY}
    assert found.height == 33 * 12  # whole years
    assert "33 whole years equal those of s1" in found["reason"][0]


def test_a_short_series_is_held_against_its_group_and_then_the_fleet() -> None:
    cold = [history(f"cold{seed}", 10 + seed, mean=5.0) for seed in range(5)]
    short = history("short", 20, years=5)
    wild = pl.col("date") == date(2017, 3, 1)
    short = short.with_columns(temperature=pl.when(wild).then(3.0).otherwise("temperature"))
    table = pl.concat([FLEET, *cold, short])
    groups = dict.fromkeys(["s0", "s1", "s2", "short"], "warm")
    found = flags_of(table, groups)
    assert found.select("series", "date").rows() == [("short", date(2017, 3, 1))]
    assert "its group's March months allow" in found["reason"][0]
    # In the fleet as a whole 3 °C is nothing special; beside warm series alone it is. A climate of its own is no fault.
    assert flags_of(table).is_empty()
    assert "the fleet's March months" in flags_of(pl.concat([FLEET, short]))["reason"][0]
    assert flags_of(pl.concat([*cold, history("short", 20, years=5)])).is_empty()


def test_alone_with_a_short_history_nothing_is_known() -> None:
    assert flags_of(history("short", 20, years=5)).is_empty()


# --- what becomes of them ---


def write(folder: Path, table: pl.DataFrame) -> Path:
    folder.mkdir(exist_ok=True)
    for (series,), rows in table.partition_by("series", as_dict=True).items():
        cells = {(day.year, day.month): value for _, day, value in rows.iter_rows()}
        years = sorted({year for year, _ in cells})
        lines = [",".join(("YEAR", *MONTHS))]
        for year in years:
            values = [cells.get((year, month)) for month in range(1, 13)]
            lines.append(",".join([str(year), *("999.90" if one is None else f"{one:.2f}" for one in values)]))
        (folder / f"station_{series}.csv").write_text("\n".join(lines) + "\n")
    return folder


def process_folder(folder: Path, cutoff: str | None = None, **flags: Any) -> Intake:
    partitions = {path.stem: path.read_bytes for path in sorted(folder.glob("station_*.csv"))}
    names = [unicodedata.normalize("NFC", name).removeprefix("station_") for name in partitions]
    entries = {name: {"label": name.upper(), "file": f"station_{name}.csv"} for name in names}
    rules = {name: flags.pop(name) for name in ("min_months", "on_short_series") if name in flags}
    contract = Contract(flags=Flags(**flags), **rules)
    today = date(2026, 11, 28)
    options = {"testing_window": 12, "history_start": date(1961, 1, 1)}
    return process_datasets(partitions, entries, [], cutoff, contract, today=today, **options)


@pytest.fixture
def zeros(tmp_path: Path) -> Path:
    """Four stations until October 2019; one of them has 0.00 in the place of what is not observed yet, and before."""
    table = FLEET.filter(pl.col("date") < date(2019, 11, 1))
    ahead = pl.DataFrame({"series": "s1", "date": [date(2019, 11, 1), date(2019, 12, 1)], "temperature": 0.0})
    keyed = (pl.col("series") == "s1") & (pl.col("date").dt.year() == 2001)
    table = table.with_columns(temperature=pl.when(keyed).then(0.0).otherwise("temperature"))
    return write(tmp_path / "stations", pl.concat([table, ahead]).sort("series", "date"))


def test_a_warning_names_line_and_column_and_changes_no_observation(zeros: Path, caplog) -> None:
    intake = process_folder(zeros)
    # 12 zeros of 2001 and two ahead of time; the line of 1980 is the second.
    assert intake.flags.filter(pl.col("kind") == OUTLIER).height == 14
    first = intake.flags.row(0, named=True)
    assert (first["file"], first["line"], first["column"]) == ("station_s1.csv", 23, "JAN")
    assert "S1 (s1) has doubtful observations: line 23, column JAN (2001-01): 0 °C, outlier, outside" in caplog.text
    assert intake.table.filter(pl.col("temperature") == 0.0).height == 12
    assert 0.006 < intake.months["flagged_share"] < 0.007


def test_the_newest_observation_is_not_a_doubtful_one(zeros: Path) -> None:
    months = process_folder(zeros).months
    assert (months["cutoff"], months["newest_observation"]) == ("2019-11-01", "2019-10-01")
    later = process_folder(zeros, cutoff="2020-01-01")
    assert (later.months["cutoff"], later.months["newest_observation"]) == ("2020-01-01", "2019-10-01")


def test_doubtful_observations_may_be_taken_for_missing(zeros: Path) -> None:
    intake = process_folder(zeros, action="missing")
    assert intake.table.filter(pl.col("temperature") == 0.0).is_empty()
    assert intake.table.filter((pl.col("series") == "s1") & pl.col("temperature").is_null()).height == 12
    assert (intake.months["flagged_share"], intake.flags.height >= 14) == (0.0, True)
    assert intake.table["date"].max() == date(2019, 10, 1)


def test_their_series_may_be_set_aside(zeros: Path) -> None:
    intake = process_folder(zeros, action="quarantine")
    assert intake.months["n_series"] == 3
    (reason,) = intake.quarantine["reason"]
    assert reason.startswith("station_s1.csv: line 23, column JAN (2001-01): 0 °C, outlier")
    assert "more doubtful observations; correct the file" in reason
    assert intake.months["flagged_share"] == 0.0


def test_a_series_of_which_too_little_is_left_is_set_aside(tmp_path: Path) -> None:
    short = history("short", 1, years=11)
    short = short.with_columns(
        temperature=pl.when(pl.int_range(pl.len()) % 7 == 0).then(-20.0).otherwise("temperature")
    )
    folder = write(tmp_path / "stations", pl.concat([FLEET, short]))
    assert process_folder(folder, action="missing").quarantine.is_empty()  # it has a model of its own
    intake = process_folder(folder, action="missing", min_months=120, on_short_series="refuse")
    assert list(intake.quarantine["series"]) == ["short"]
    assert "113 observed months are left, min_months is 120" in intake.quarantine["reason"][0]


def test_a_fleet_whose_series_are_all_set_aside_says_why(tmp_path: Path) -> None:
    table = changed(0.0, when=pl.col("date") == date(2001, 3, 1)).filter(pl.col("series") == "s1")
    with pytest.raises(TooFewSeriesError, match=r"line 23, column MAR .* outlier, outside"):
        process_folder(write(tmp_path / "stations", table), action="quarantine")


# --- as the catalog stores them ---


def through_the_catalog(intake: Intake) -> RunFacts:
    """What the nodes of the report get: files of CSV lie between them and `process_datasets`."""
    session = Session("climate_brazil", {"use_mlflow": False})
    catalog = session.load_context().catalog
    for name, table in (("climate_flags", intake.flags), ("climate_quarantine", intake.quarantine)):
        catalog.get(name)._logging_activated = False
        catalog.save(name, table)
    origin = {"origin": "a folder", "simulated": False}
    return RunFacts(intake.months, origin, catalog.load("climate_quarantine"), catalog.load("climate_flags"))


# A number of the World Meteorological Organization is a name, and so is one that begins with 0.
@pytest.mark.parametrize("name", ["rio", "83743", "083743"])
@pytest.mark.usefixtures("var")
def test_the_report_tells_what_the_stored_table_holds(tmp_path: Path, monkeypatch, name: str) -> None:
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(ROOT / "kedro_project"))
    table = changed(0.0, when=pl.col("date") == date(2001, 3, 1))
    folder = write(tmp_path / "stations", table.with_columns(pl.col("series").replace("s1", name)))
    (folder / "station_s2.csv").write_text("YEAR,JAN\n")
    if name != "rio":
        (folder / f"station_{name}1.csv").write_text("YEAR,JAN\n")
    intake = process_folder(folder)
    facts = through_the_catalog(intake)
    (words,) = [text for series, text in facts.doubts().items() if series == name]
    assert words.startswith(f"station_{name}.csv, line 23, column MAR (2001-03): 0 °C, outlier")
    assert facts.quarantine.equals(intake.quarantine)


@pytest.mark.usefixtures("var")
def test_without_flags_the_stored_table_tells_none(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(ROOT / "kedro_project"))
    facts = through_the_catalog(process_folder(write(tmp_path / "stations", FLEET)))
    assert (facts.doubts(), facts.flags.height, facts.quarantine.height) == ({}, 0, 0)
