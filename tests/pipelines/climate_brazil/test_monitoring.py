"""What champions had forecast beside what happened: the ledger, its scores, and who is called degraded."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date

import polars as pl
import pytest

from retraining.pipelines.climate_brazil.champion.monitoring import monitor
from retraining.pipelines.climate_brazil.parameters import Monitoring
from retraining.pipelines.climate_brazil.series.tables import FORECAST_SCHEMA
from tracked_kedro.promotion.evidence import Evidence, Version


def month(number: int) -> date:
    return date(2019 + number // 12, number % 12 + 1, 1)


def champion(number: int, cutoff: int, mean: float = 25.0) -> Version:
    """A champion that forecast `mean` ± 1 °C for the twelve months from its cutoff on."""
    days = [month(cutoff + ahead) for ahead in range(12)]
    quantiles = {"q025": -1.96, "q10": -1.2816, "q90": 1.2816, "q975": 1.96}
    rows = {"series": "belem", "kind": "ahead", "date": days, "horizon": range(1, 13), "mean": mean, "sd": 1.0}
    rows |= {name: mean + z for name, z in quantiles.items()}
    table = pl.DataFrame(rows)
    table = table.with_columns(**{name: pl.lit(None) for name in FORECAST_SCHEMA if name not in rows})
    buffer = io.BytesIO()
    table.select(list(FORECAST_SCHEMA)).cast(FORECAST_SCHEMA).write_parquet(buffer)
    evidence = Evidence(metrics={}, cutoff=month(cutoff))
    return Version("climate-brazil", number, "0" * 32, evidence, lambda name: buffer.getvalue())


def observed(values: list[float | None]) -> pl.DataFrame:
    days = [month(number) for number in range(len(values))]
    return pl.DataFrame(
        {"series": "belem", "date": days, "temperature": values}, schema_overrides={"temperature": pl.Float64}
    )


def run(champions: list[Version], values: list[float | None], ledger: pl.DataFrame | None = None, **rules):
    readers: dict[int, Callable[[], Version]] = {one.number: lambda one=one: one for one in champions}
    months = {"cutoff": month(len(values)).isoformat()}
    return monitor(observed(values), readers, ledger, months, Monitoring(**rules))


def test_a_month_is_scored_once_it_is_observed():
    ledger, scores, _, metrics = run([champion(1, 0)], [25.0, 27.0, None, 26.0])
    assert ledger.height == 12
    assert ledger["observed"].to_list()[:5] == [25.0, 27.0, None, 26.0, None]
    assert scores.select("series", "horizon", "months").rows() == [("belem", 1, 1), ("belem", 2, 1), ("belem", 4, 1)]
    assert metrics["realised_months"]["value"] == 3
    assert metrics["realised_rmse"]["value"] == pytest.approx((5 / 3) ** 0.5, abs=1e-5)
    assert metrics["realised_coverage_80"]["value"] == pytest.approx(2 / 3, abs=1e-5)
    assert metrics["realised_coverage_80_h02"]["value"] == 0


def test_running_a_month_again_changes_nothing_and_the_next_one_adds():
    first, *_ = run([champion(1, 0)], [25.0, 27.0])
    again, *_ = run([champion(1, 0)], [25.0, 27.0], first)
    assert again.equals(first)
    grown, *_ = run([champion(1, 0), champion(2, 2)], [25.0, 27.0, 25.0], again)
    assert not grown.select("version", "series", "date").is_duplicated().any()
    assert grown.height == 24
    assert grown.filter(pl.col("date") == month(2))["observed"].to_list() == [25.0, 25.0]


def test_a_champion_that_is_in_the_ledger_is_not_read_again():
    first, *_ = run([champion(1, 0)], [25.0])

    def must_not_be_read() -> Version:
        raise AssertionError("read again")

    monitor(observed([25.0, 25.0]), {1: must_not_be_read}, first, {"cutoff": "2019-03-01"}, Monitoring())


def test_a_revised_observation_is_scored_anew():
    first, *_ = run([champion(1, 0)], [25.0, 27.0])
    revised, *_ = run([champion(1, 0)], [25.0, 25.0], first)
    assert revised.filter(pl.col("date") == month(1))["error"].item() == 0


def test_what_a_month_could_not_know_does_not_count():
    """A backfill of an older month, after a newer champion."""
    _, scores, _, metrics = run([champion(1, 6)], [25.0] * 4)
    assert scores.is_empty()
    assert metrics == {}


def test_forecasts_that_leave_their_band_make_a_series_degraded():
    _, _, well, _ = run([champion(1, 0)], [25.0] * 7)
    assert well["degraded"] == {}
    _, _, ill, _ = run([champion(1, 0)], [28.0] * 7)
    assert ill["degraded"]["belem"].startswith("0% of 7 months inside the 80 % interval and CRPS 4.")


def test_too_few_months_are_no_judgement_and_old_ones_are_forgotten():
    assert run([champion(1, 0)], [28.0] * 5)[2]["degraded"] == {}
    assert run([champion(1, 0)], [28.0] * 6 + [25.0] * 6, months=6)[2]["degraded"] == {}
    assert run([champion(1, 0)], [28.0] * 6 + [25.0] * 6, months=12)[2]["degraded"] != {}


def test_of_a_month_only_the_latest_forecast_counts():
    champions = [champion(1, 0, mean=25.0), champion(2, 1, mean=28.0)]
    assert run(champions, [25.0] + [28.0] * 7)[2]["degraded"] == {}
