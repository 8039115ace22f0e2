"""The nodes of the namespace `series`, on small tables and with the real model."""

import io
import json
import math
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from retraining.pipelines.climate_brazil.fleet.learnt_fleet import DonorFit, LearntFleet
from retraining.pipelines.climate_brazil.parameters import Contract
from retraining.pipelines.climate_brazil.series import nodes as series_nodes
from retraining.pipelines.climate_brazil.series import record as record_module
from retraining.pipelines.climate_brazil.series import tables as tables_module
from retraining.pipelines.climate_brazil.series.gate import passes_gate
from retraining.pipelines.climate_brazil.series.inputs import (
    Artifacts,
    SeriesResults,
    Shard,
    TrainingData,
    TrainingSettings,
)
from retraining.pipelines.climate_brazil.series.isolation import Failure, SeriesFailedError, each
from retraining.pipelines.climate_brazil.series.namespace import series_namespace
from retraining.pipelines.climate_brazil.series.nodes import Work, evaluate, select_series
from retraining.pipelines.climate_brazil.series.record import forecast_plot, record
from retraining.pipelines.climate_brazil.series.scores import SCHEMA, report_frame
from retraining.pipelines.climate_brazil.series.tables import FORECAST_SCHEMA, forecast_tables
from retraining.pipelines.climate_brazil.stations.holdout import train_test_split
from retraining.pipelines.climate_brazil.stations.processing import to_series
from retraining.pipelines.climate_brazil.structural import (
    BorrowedPosterior,
    Fleet,
    Forecast,
    GroupClimate,
    InferenceConfig,
    Mixture,
    ModelConfig,
    Series,
    fit,
    load_posterior,
    pack,
    to_netcdf,
)
from tests.pipelines.climate_brazil.made_up_fleets import DONORS, borrowing, unused

MODEL = ModelConfig()
INFERENCE = InferenceConfig(draws=100, points=512, min_ess=50)
NAMES = ("a", "b", "c")
ENTRIES = {name: {"label": name.upper(), "file": f"station_{name}.csv"} for name in NAMES}
ARTIFACTS = ("model_graph", "forecast_plot", "series_table", "posterior", "model")


def station(name: str, seed: int, **changed: float) -> pl.DataFrame:
    months = pl.date_range(date(2000, 1, 1), date(2014, 12, 1), "1mo", eager=True)
    noise = np.random.default_rng(seed).normal(0, 0.4, len(months))
    values = 25 + 2 * np.sin(2 * np.pi * np.arange(len(months)) / 12) + noise
    return pl.DataFrame({"series": name, "date": months, "temperature": values})


TABLE = pl.concat(station(name, seed) for seed, name in enumerate(NAMES))
SLOPES = {f"other_{i}": i / 10 for i in range(5)}
TRAINING, HOLDOUT = train_test_split(TABLE, 12)


def select(
    shard=(),
    finished=None,
    results=(),
    training=TRAINING,
    holdout=HOLDOUT,
    fleet=None,
    **changed: Any,
) -> dict[str, Work]:
    options: dict[str, Any] = {
        "min_years_own_slope": 60,
        "contract": Contract(),
        "model": MODEL,
        "inference": INFERENCE,
        "n_ahead": 12,
    }
    options |= {"seed": 1, "series_artifacts": ARTIFACTS, "log_artifacts": True} | changed
    artifacts = Artifacts(options.pop("series_artifacts"), options.pop("log_artifacts"))
    return select_series(
        TrainingData(training.lazy(), holdout.lazy(), fleet or unused(), ENTRIES),
        Shard(shard, finished or {}, dict.fromkeys(results, dict)),
        TrainingSettings(**options),
        artifacts,
    )


class TestSelect:
    def test_without_a_shard_it_is_every_series_in_the_order_of_the_table(self) -> None:
        assert list(select()) == ["a", "b", "c"]

    def test_a_shard_keeps_its_order(self) -> None:
        assert list(select(shard=["c", "a"])) == ["c", "a"]

    def test_an_unknown_series_fails_alone(self) -> None:
        work = select(shard=["a", "atlantis"])
        assert isinstance(work["a"], Work)
        assert "atlantis: the table does not have it" in work["atlantis"].reason

    def test_training_actuals_and_the_full_series_fit_together(self) -> None:
        one = select()["a"]
        assert one.label == "A"
        assert (len(one.training.values), len(one.full.values), len(one.actual)) == (168, 180, 12)
        assert np.array_equal(one.full.values, [*one.training.values, *one.actual])

    def test_done_takes_the_same_fingerprint_and_a_stored_result(self) -> None:
        prints = {name: one.fingerprint for name, one in select().items()}
        assert list(select(finished=prints, results=NAMES)) == []
        assert list(select(finished={**prints, "b": "other"}, results=NAMES)) == ["b"]
        assert list(select(finished=prints, results=["a", "b"])) == ["c"]
        assert list(select(results=NAMES)) == ["a", "b", "c"]

    @pytest.mark.parametrize(
        "changed",
        [
            {"seed": 2},
            {"n_ahead": 13},
            {"model": ModelConfig(harmonics=5)},
            {"fleet": unused(**SLOPES)},
            {"fleet": borrowing()},
            {"inference": InferenceConfig(draws=200, points=512, min_ess=50)},
            {"series_artifacts": ("posterior",)},
            {"log_artifacts": False},
            {"training": TRAINING.with_columns(pl.col("temperature") + 0.01)},
            {"holdout": HOLDOUT.with_columns(pl.col("temperature") + 0.01)},
        ],
        ids=lambda changed: next(iter(changed)),
    )
    def test_whatever_changes_a_result_changes_the_fingerprint(self, changed: dict[str, Any]) -> None:
        assert select(**changed)["a"].fingerprint != select()["a"].fingerprint

    def test_other_code_changes_the_fingerprint(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = select()["a"].fingerprint
        monkeypatch.setattr(series_nodes, "code_version", lambda package: "other")
        assert select()["a"].fingerprint != before

    def test_another_series_data_do_not_change_the_fingerprint(self) -> None:
        others = TRAINING.filter(pl.col("series") != "c")
        assert select(training=others)["a"].fingerprint == select()["a"].fingerprint

    def test_a_short_history_takes_the_slopes_of_the_others(self) -> None:
        assert select()["a"].model is MODEL  # nobody to learn from
        assert select(fleet=unused(**SLOPES))["a"].model.pooled_slope_mean == pytest.approx(0.2)
        # 14 years of training are enough here.
        assert select(fleet=unused(**SLOPES), min_years_own_slope=14)["a"].model is MODEL

    def test_where_the_fleet_is_used_a_series_takes_what_it_has_taught_in_two_windows(self) -> None:
        model = select(fleet=borrowing())["a"].model
        assert model.shape_prior is not None and model.recent_years == 10
        assert model == DONORS.model_for("a", MODEL).model_copy(update={"recent_years": 10})
        # A configured window is the series' own affair.
        assert select(fleet=borrowing(), model=ModelConfig(recent_years=5))["a"].model.recent_years == 5

    def test_its_fit_begins_where_its_fit_among_the_donors_has_ended(self) -> None:
        start = DonorFit.of(fit(select()["a"].training, MODEL, INFERENCE, seed=1))
        work = select(fleet=borrowing(fits={"a": start}))
        assert work["a"].start is not None and work["b"].start is None
        first = series_nodes.train({"a": work["a"]}, INFERENCE, 1)["a"]
        assert first.model == work["a"].model and first.recent is not None

    def test_the_order_of_the_artifacts_does_not_matter(self) -> None:
        assert select(series_artifacts=ARTIFACTS[::-1])["a"].fingerprint == select()["a"].fingerprint


class TestEvaluate:
    """Two months of 3 and 5 °C after two years that rise by 1 °C a year: 1 ... 12, then 2 ... 13."""

    def scores(self, training: np.ndarray, mean=(3.0, 4.0, 9.0), actual=(3.0, 5.0, np.nan)) -> Any:
        first = np.datetime64("2000-01")
        work = Work(
            series="a",
            label="A",
            training=Series("a", first, training),
            full=Series("a", first, np.array([*training, *actual[:2]])),
            actual=np.array(actual),
            model=MODEL,
            start=None,
            climate=None,
            least=24,
            fingerprint="f",
        )
        months = np.datetime64("2002-01") + np.arange(3)
        forecast = Mixture(months, np.ones(1), np.array([mean]), np.ones((1, 3)))
        return evaluate({"a": work}, {"a": forecast})["a"]

    def test_by_hand(self) -> None:
        scores = self.scores(np.array([*range(1, 13), *range(2, 14)], dtype=float))
        # The model misses by 0 and 1; the third month has no actual value.
        assert scores["n_scored"] == 2
        assert scores["rmse"] == pytest.approx(math.sqrt(1 / 2))
        assert scores["mae"] == pytest.approx(1 / 2)
        # CRPS of N(m, 1) at m + z: z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi), for z = 0 and z = 1.
        assert scores["crps"] == pytest.approx((0.2336950 + 0.6024414) / 2, abs=1e-6)
        # Both lie within 1.28 standard deviations.
        assert scores["coverage_80"] == scores["coverage_95"] == 1
        # Seasonal naive says 2 and 3, climatology 1.5 and 2.5.
        assert scores["rmse_seasonal_naive"] == pytest.approx(math.sqrt((1 + 4) / 2))
        assert scores["mae_seasonal_naive"] == pytest.approx(1.5)
        assert scores["rmse_climatology"] == pytest.approx(math.sqrt((1.5**2 + 2.5**2) / 2))
        assert scores["mae_climatology"] == pytest.approx(2.0)
        assert scores["skill_vs_seasonal_naive"] == pytest.approx(1 - scores["crps"] / scores["crps_seasonal_naive"])

    def test_a_forecast_that_is_far_off_is_outside_its_intervals(self) -> None:
        scores = self.scores(np.array([*range(1, 13), *range(2, 14)], dtype=float), mean=(3.0, 50.0, 9.0))
        assert scores["coverage_80"] == scores["coverage_95"] == 0.5
        assert scores["skill_vs_seasonal_naive"] < 0

    def test_a_naive_model_that_cannot_be_made_is_left_out(self, caplog: pytest.LogCaptureFixture) -> None:
        # January is observed once only: no climatology of it.
        scores = self.scores(np.array([np.nan, *range(2, 13), *range(2, 14)], dtype=float))
        assert scores["rmse"] == pytest.approx(math.sqrt(1 / 2))
        assert math.isnan(scores["rmse_climatology"])
        assert math.isfinite(scores["rmse_seasonal_naive"])
        assert "not compared with climatology" in caplog.text


def run_shard(
    *shard: str,
    table: pl.DataFrame = TABLE,
    log_artifacts: bool = True,
    artifacts=ARTIFACTS,
    model: ModelConfig = MODEL,
    fleet: LearntFleet | None = None,
):
    """What the namespace does for one shard: rows, posteriors, forecast tables, records, outcomes."""
    training, holdout = train_test_split(table, 12, min_training_months=0)
    options = {"series_artifacts": artifacts, "log_artifacts": log_artifacts, "model": model, "fleet": fleet}
    work = select(shard=shard, training=training, holdout=holdout, **options)
    fits = series_nodes.train(work, INFERENCE, 1)
    held_out = series_nodes.forecast(work, fits)
    scores = evaluate(work, held_out)
    refits = series_nodes.refit(work, fits, INFERENCE, 1)
    forecasts = series_nodes.forecast_ahead(refits, 12)
    keep = Artifacts(artifacts, log_artifacts)
    plots = forecast_plot(work, fits, held_out, forecasts, {"simulated": True}, keep)
    if "forecast_plot" not in artifacts or not log_artifacts:
        assert set(plots.values()) == {b""}
    graph = {"model_graph.mmd": lambda: "graph TD"}
    tables = forecast_tables(work, held_out, forecasts)
    return record(work, SeriesResults(scores, refits, plots, tables), ENTRIES, graph, model, INFERENCE, keep)


@pytest.fixture(scope="module")
def together():
    return run_shard()


def comparable(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "seconds"}


class TestRecord:
    def test_rows_are_json_and_fit_the_report(self, together) -> None:
        rows = together[0]
        assert json.loads(json.dumps(rows, allow_nan=False)) == rows
        for row in rows.values():
            assert set(row) <= set(SCHEMA) | {"months"}
            assert row["status"] == "finished"
        assert report_frame(list(rows.values())).height == 3

    def test_records_hold_what_a_child_run_shows(self, together) -> None:
        one = together[3]["a"]
        assert one.label == "A"
        assert one.parameters["series"] == "a"
        assert (one.parameters["training_start"], one.parameters["training_end"]) == ("2000-01", "2014-12")
        assert one.parameters["n_months"] == 180
        assert one.parameters["pooled_slope_mean"] is None  # three series are too few to pool
        assert one.parameters["model_type"] == "bayesian_structural_time_series"
        assert one.parameters["y_mean"] == pytest.approx(25, abs=0.2)
        wanted = {"rmse", "mae", "crps", "coverage_80", "coverage_95", "skill_vs_seasonal_naive", "grid_error"}
        assert wanted | {"seconds"} <= set(one.metrics)
        assert all(math.isfinite(value) for value in one.metrics.values())
        kept = {"figures/model_graph.mmd", "figures/forecast.svg", "series.parquet", "posterior.nc"}
        assert set(one.files) == kept
        # The model forecasts from the same posterior; the draws for a person are left out.
        assert one.model == to_netcdf(together[1]["a"])
        assert len(one.model) < len(one.files["posterior.nc"])
        assert one.files["figures/forecast.svg"].startswith(b"<svg ")

    def test_what_is_kept_can_be_chosen(self) -> None:
        posterior_only = run_shard("a", artifacts=("posterior",))[3]["a"]
        assert (set(posterior_only.files), posterior_only.model) == ({"posterior.nc"}, None)
        nothing = run_shard("a", log_artifacts=False)[3]["a"]
        assert (nothing.files, nothing.model) == ({}, None)

    def test_a_failing_series_has_a_failed_record_and_row_and_no_posterior(self) -> None:
        constant = TABLE.with_columns(
            pl.when(pl.col("series") == "b").then(20.0).otherwise(pl.col("temperature")).alias("temperature")
        )
        rows, posteriors, forecasts, records, outcome = run_shard("a", "b", table=constant)
        assert (rows["a"]["status"], rows["b"]["status"]) == ("finished", "failed")
        assert rows["b"]["reason"].startswith("train: ConstantSeriesError")
        assert set(posteriors) == {"a"}
        # Rows of an earlier attempt, which succeeded, must not stay.
        assert (forecasts["a"].height, forecasts["b"].height) == (24, 0)
        assert dict(forecasts["b"].schema) == FORECAST_SCHEMA
        assert records["b"].status == "FAILED"
        assert records["b"].failure == rows["b"]["reason"]
        assert isinstance(outcome["b"], Failure)
        json.dumps(rows, allow_nan=False)
        with pytest.raises(SeriesFailedError, match=r"1 of 2 series failed: b \(train: ConstantSeriesError"):
            series_nodes.check_series(outcome)


def spoilt(changed: pl.Expr, name: str = "b") -> pl.DataFrame:
    """The table with other temperatures of one series."""
    return TABLE.with_columns(temperature=pl.when(pl.col("series") == name).then(changed).otherwise("temperature"))


NOTHING_TO_TRAIN_ON = pl.when(pl.col("date") >= date(2014, 1, 1)).then("temperature")
SPOILT_DATA = {
    "no month before the held-out ones": (NOTHING_TO_TRAIN_ON, "train"),
    "constant": (pl.lit(20.0), "train"),
    "not finite": (pl.when(pl.col("date").dt.year() == 2005).then(math.inf).otherwise("temperature"), "select"),
    "beyond what numbers hold": (pl.col("temperature") * 1e306, "train"),
    "constant before the held-out months": (
        pl.when(pl.col("date") < date(2014, 1, 1)).then(20.0).otherwise("temperature"),
        "train",
    ),
}


@pytest.mark.parametrize(("changed", "step"), SPOILT_DATA.values(), ids=SPOILT_DATA.keys())
def test_data_that_cannot_be_trained_on_costs_its_series_alone(together, changed: pl.Expr, step: str) -> None:
    rows, posteriors, _, records, outcome = run_shard(table=spoilt(changed))
    assert outcome["b"].step == step
    assert rows["b"]["reason"] == records["b"].failure
    assert set(posteriors) == {"a", "c"}
    for name in ("a", "c"):
        assert comparable(rows[name]) == comparable(together[0][name])


def test_a_series_whose_rows_are_gone_costs_itself_alone(together) -> None:
    rows, posteriors, _, records, _ = run_shard("a", "b", "c", table=TABLE.filter(pl.col("series") != "b"))
    assert rows["b"]["reason"].startswith("select: UnknownSeriesError: b: the table does not have it")
    assert (records["b"].status, records["b"].label) == ("FAILED", "B")
    assert comparable(rows["c"]) == comparable(together[0]["c"])
    assert set(posteriors) == {"a", "c"}


STEPS = {
    **dict.fromkeys(("select", "train", "forecast", "evaluate", "refit", "forecast_ahead"), series_nodes),
    **dict.fromkeys(("forecast_plot", "record"), record_module),
    "forecast_tables": tables_module,
}


class Unusable:
    """Stands for whatever a step gets of one series and cannot work with."""

    def __getattr__(self, name: str) -> Any:
        raise ArithmeticError(f"no {name} can be made of it")


def test_every_step_of_a_series_is_in_the_list() -> None:
    names = {node.name.removeprefix("series.") for node in series_namespace().nodes}
    assert names == STEPS.keys() | {"check"}


@pytest.mark.parametrize("step", STEPS)
def test_whichever_step_fails_for_one_series_the_others_go_on(
    together, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def each_but_b(name: str, function: Any, *inputs: Any) -> dict[str, Any]:
        return each(name, function, *({**inputs[0], "b": Unusable()} if name == step else inputs[0], *inputs[1:]))

    monkeypatch.setattr(STEPS[step], "each", each_but_b)
    rows, posteriors, _, records, outcome = run_shard()
    assert (rows["b"]["status"], outcome["b"].step) == ("failed", step)
    assert records["b"].failure == rows["b"]["reason"]
    assert set(posteriors) == {"a", "c"}
    for other in ("a", "c"):
        assert comparable(rows[other]) == comparable(together[0][other])


def test_a_configured_logarithm_and_second_window_reach_what_is_stored_and_shown() -> None:
    model = ModelConfig(transform="log", recent_years=5)
    rows, posteriors, forecasts, records, _ = run_shard("a", model=model)
    assert rows["a"]["status"] == "finished" and posteriors["a"].recent is not None
    served = Fleet(pack(posteriors.values())).posterior("a").forecast(12)
    ahead = forecasts["a"].filter(pl.col("kind") == "ahead")
    np.testing.assert_allclose(ahead["q025"], served.quantile(0.025)[0])
    assert (ahead["q025"] > 0).all() and abs(ahead["mean"].mean() - 25) < 2
    shown = records["a"].parameters
    assert (shown["transform"], shown["recent_window_start"]) == ("log", "2010-01")
    assert rows["a"]["recent_method_used"] == "quadrature" and set(rows["a"]) <= set(SCHEMA) | {"months"}
    assert "figures/forecast.svg" in records["a"].files


class TestShort:
    """Series that are too short for a model, or for one on what precedes their held-out months."""

    CLIMATE = GroupClimate.of([to_series(TABLE, name) for name in ("b", "c")])
    NEW = TABLE.filter(pl.col("series") == "a")

    def shard(self, months: int, **changed: Any) -> Any:
        fleet = borrowing(climates={"": self.CLIMATE} if self.CLIMATE else {}, **changed)
        return run_shard("a", table=self.NEW.tail(months), fleet=fleet)

    @pytest.mark.parametrize("months", [5, 12, 23])
    def test_it_borrows_the_climatology_of_its_group_and_is_flagged(self, months: int) -> None:
        rows, posteriors, forecasts, records, _ = self.shard(months)
        assert rows["a"]["reason"] == f"{months} observed months are too few for a model: climatology of its group"
        assert (rows["a"]["status"], rows["a"]["method_used"]) == ("finished", "climatology of its group")
        assert passes_gate(rows["a"], INFERENCE)
        assert json.loads(json.dumps(rows, allow_nan=False)) == rows
        assert isinstance(posteriors["a"], BorrowedPosterior) and rows["a"]["n_scored"] == min(months, 12)
        ahead = forecasts["a"].filter(pl.col("kind") == "ahead")
        truth = 25 + 2 * np.sin(2 * np.pi * np.arange(12) / 12)
        assert np.abs(ahead["mean"].to_numpy() - truth).max() < 0.6
        # The noise, 0.4, is that of two lenders; a level from a few months adds to it.
        assert (ahead["sd"] > 0.38).all() and (ahead["sd"] < 1.0).all()
        assert {"figures/forecast.svg", "series.parquet", "posterior.nc"} <= set(records["a"].files)
        for kept in (Fleet(pack(posteriors.values())).posterior("a"), load_posterior(io.BytesIO(records["a"].model))):
            np.testing.assert_array_equal(kept.forecast(12).mean, ahead["mean"])
            np.testing.assert_array_equal(kept.forecast(12).quantile(0.9)[0], ahead["q90"])

    def test_two_years_have_a_model_that_is_scored_by_what_it_would_have_been_a_year_ago(self) -> None:
        rows, posteriors, forecasts, records, _ = self.shard(24)
        assert rows["a"]["reason"] is None and rows["a"]["n_scored"] == 12
        assert posteriors["a"].model.shape_prior is not None and records["a"].parameters["borrows"]
        ahead = forecasts["a"].filter(pl.col("kind") == "ahead")
        assert np.abs(ahead["mean"].to_numpy() - 25 - 2 * np.sin(2 * np.pi * np.arange(12) / 12)).max() < 1.0
        assert set(forecasts["a"]["kind"]) == {"heldout", "ahead"}

    def test_more_months_may_be_asked_for(self) -> None:
        work = select(fleet=borrowing(climates={"": self.CLIMATE}), contract=Contract(min_months=300))
        first = series_nodes.train({"a": work["a"]}, INFERENCE, 1)["a"]
        assert isinstance(first, BorrowedPosterior)
        assert work["a"].fingerprint != select(fleet=borrowing(climates={"": self.CLIMATE}))["a"].fingerprint

    def test_its_own_group_comes_first(self) -> None:
        warm = self.CLIMATE.model_copy(update={"levels": 4.0})
        fleet = borrowing(climates={"": self.CLIMATE, "coast": warm})
        assert (fleet.climate("coast"), fleet.climate("hills"), unused().climate("")) == (warm, self.CLIMATE, None)

    def test_where_nobody_lends_it_fails_alone_with_the_remedy(self) -> None:
        rows = run_shard("a", table=self.NEW.tail(9))[0]
        assert rows["a"]["status"] == "failed" and "give it a longer history" in rows["a"]["reason"]


@pytest.mark.parametrize("shards", [[["a"], ["b"], ["c"]], [["c", "a", "b"]], [["b", "c"], ["a"]]], ids=str)
def test_results_do_not_depend_on_shards_or_their_order(together, shards: list[list[str]]) -> None:
    rows, posteriors, forecasts, records, _ = together
    for shard in shards:
        others = run_shard(*shard)
        for name in shard:
            assert comparable(others[0][name]) == comparable(rows[name])
            assert np.array_equal(others[1][name].log_theta, posteriors[name].log_theta)
            assert np.array_equal(others[1][name].forecast(12).mean, posteriors[name].forecast(12).mean)
            assert others[2][name].equals(forecasts[name])
            assert others[3][name].fingerprint == records[name].fingerprint
            for file in ("figures/forecast.svg", "series.parquet"):
                assert others[3][name].files[file] == records[name].files[file]


def test_twelve_series_forecast_alike_in_shards_of_one_three_and_twelve_and_shuffled() -> None:
    names = [f"s{number:02d}" for number in range(12)]
    training, holdout = train_test_split(pl.concat(station(name, seed) for seed, name in enumerate(names)), 12)
    entries = {name: {"label": name, "file": f"{name}.csv"} for name in names}

    def forecasts(shards: list[list[str]]) -> dict[str, Forecast]:
        made: dict[str, Forecast] = {}
        for shard in shards:
            data = TrainingData(training.lazy(), holdout.lazy(), unused(**SLOPES), entries)
            settings = TrainingSettings(
                MODEL, INFERENCE, n_ahead=12, seed=1, min_years_own_slope=60, contract=Contract()
            )
            work = select_series(data, Shard(shard, {}, {}), settings, Artifacts((), False))
            refits = series_nodes.refit(work, series_nodes.train(work, INFERENCE, 1), INFERENCE, 1)
            made |= series_nodes.forecast_ahead(refits, 12)
        return made

    together = forecasts([names])
    shuffled = [str(name) for name in np.random.default_rng(0).permutation(names)]
    for order, size in ((names, 1), (shuffled, 3), (shuffled, 12)):
        apart = forecasts([order[start : start + size] for start in range(0, 12, size)])
        for name in names:
            assert np.array_equal(apart[name].mean, together[name].mean)
            assert np.array_equal(apart[name].quantile([0.1, 0.9]), together[name].quantile([0.1, 0.9]))
