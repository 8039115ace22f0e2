"""One row per series: what became of it, how old its newest observation is, what comes next."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from retraining.pipelines.climate_brazil.report.overview import RECENT, SCHEMA, FleetStatus, overview
from tests.pipelines.climate_brazil.made_up_scores import failed, score
from tests.pipelines.climate_brazil.test_comparison import forecasts

CUTOFF = date(2019, 2, 1)
LABELS = {"belem": "Belém", "rio": "Rio de Janeiro", "vitoria": "Vitória"}
NOTHING_ASIDE = pl.DataFrame(schema=dict.fromkeys(("series", "label", "file", "reason"), pl.String))


def observed(**newest: date) -> pl.DataFrame:
    rows = [(series, day, 25.0) for series, day in newest.items()] + [("belem", CUTOFF.replace(month=1), None)]
    return pl.DataFrame(rows, schema=["series", "date", "temperature"], orient="row")


def rows(**given: Any) -> dict[str, dict[str, Any]]:
    """By series, for a run that has trained Belém alone."""
    values: dict[str, Any] = {
        "results": [{**score(), "series": "belem"}],
        "quarantine": NOTHING_ASIDE,
        "carried_over": [],
        "observed": observed(belem=date(2018, 12, 1)),
        # Ahead from the month before the cutoff on: the first month to come is the second of them.
        "forecasts": forecasts(26.0, 12, kind="ahead").with_columns(mean=20.0 + pl.col("horizon"), q10=24.0, q90=28.0),
        "labels": LABELS,
        "degraded": {},
        "children": {"belem": "a-run"},
        "cutoff": CUTOFF,
        "max_age_months": 3,
    }
    values |= given
    fleet = FleetStatus(**{name: values.pop(name) for name in FleetStatus.__dataclass_fields__})
    table = overview(fleet, **values)
    assert table.schema == SCHEMA
    return {row["series"]: row for row in table.iter_rows(named=True)}


def test_a_finished_series_has_its_scores_and_the_first_month_to_come():
    (row,) = rows().values()
    assert (row["label"], row["status"], row["degraded"], row["stale"]) == ("Belém", "finished", False, False)
    assert (row["last_observation"], row["age_months"], row["reason"]) == (date(2018, 12, 1), 2, None)
    assert (row["next_date"], row["next_mean"], row["next_q10"], row["next_q90"]) == (CUTOFF, 22.0, 24.0, 28.0)
    assert (row["crps"], row["coverage_80"], row["child_run_id"]) == (0.4, 0.75, "a-run")
    # The 36 months before the cutoff, December the last but one.
    assert row["recent"] == [None] * (RECENT - 2) + [25.0, None]


def test_old_input_is_stale_and_says_how_old():
    row = rows(observed=observed(belem=date(2018, 10, 1)))["belem"]
    assert (row["status"], row["stale"], row["age_months"]) == ("finished", True, 4)
    assert row["reason"] == "the newest observation is 4 months before the cutoff"


def test_quarantined_failed_and_degraded_say_why():
    aside = NOTHING_ASIDE.vstack(
        pl.DataFrame({"series": "vitoria", "label": "Vitória", "file": "station_vitoria.csv", "reason": "JAN is text"})
    )
    results = [{**score(), "series": "belem"}, {**failed(reason="no variance"), "series": "rio"}]
    found = rows(results=results, quarantine=aside, degraded={"belem": "CRPS 2.1 times the expected"})
    assert {series: row["status"] for series, row in found.items()} == {
        "belem": "finished",
        "rio": "failed",
        "vitoria": "quarantined",
    }
    assert {series: row["reason"] for series, row in found.items()} == {
        "belem": "CRPS 2.1 times the expected",
        "rio": "no variance",
        "vitoria": "JAN is text",
    }
    assert [series for series, row in found.items() if row["degraded"]] == ["belem"]
    assert (found["vitoria"]["next_mean"], found["vitoria"]["crps"], found["vitoria"]["child_run_id"]) == (None,) * 3


def test_who_was_neither_asked_for_nor_carried_over_has_no_row():
    assert set(rows()) == {"belem"}
    carried = rows(carried_over=["rio"])["rio"]
    assert (carried["status"], carried["stale"]) == ("carried_over", True)
