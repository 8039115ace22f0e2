"""What a fleet teaches, whether that is used, and a whole fleet in one call."""

import numpy as np
import pytest

from retraining.pipelines.climate_brazil.structural import (
    FleetConfig,
    FleetFileError,
    FleetPrior,
    InvalidSeriesError,
    ModelConfig,
    Series,
    TooFewMonthsError,
    decide,
    fit,
    fit_fleet,
    group_climatology,
    learn_fleet,
    score,
)
from retraining.pipelines.climate_brazil.structural.config import InferenceConfig
from retraining.pipelines.climate_brazil.structural.slope_prior import slope_prior

MODEL = ModelConfig()


@pytest.fixture(scope="module")
def fleet(simulated) -> list[Series]:
    """Eight alike: sigma 0.5, amplitude 0.3, a lengthscale of four months, 2 degC of season, 0.4 degC a decade."""
    truth = {"sigma": 0.5, "amplitude": 0.3, "lengthscale": 4.0, "slope": 0.6}
    return [simulated(180, **truth, seed=40 + i, name=f"s{i}") for i in range(8)]


@pytest.fixture(scope="module")
def prior(fleet) -> FleetPrior:
    return learn_fleet([fit(one) for one in fleet])


def rows(fleet: list[Series], **more: list[str]) -> dict[str, list]:
    """A long table."""
    triples = [(one.id, month, value) for one in fleet for month, value in zip(one.months, one.values, strict=True)]
    return {name: [row[i] for row in triples] for i, name in enumerate(("series", "date", "value"))} | more


def test_it_learns_what_the_series_have_in_common(prior):
    model = prior.model_for("another", MODEL)
    assert model.shape_prior.mean[0] == pytest.approx(np.log(0.5 / 0.3), abs=0.5)
    assert model.seasonal_sd[0] == pytest.approx(1.5 * 2 / np.sqrt(2), rel=0.1)
    assert max(model.seasonal_sd[1:]) < 0.25
    assert model.pooled_slope_mean == pytest.approx(0.4, abs=0.15) and 0.02 < model.pooled_slope_sd < 0.4


def test_a_series_is_no_part_of_its_own_prior(fleet, prior):
    alone = learn_fleet([fit(one) for one in fleet[1:]])
    assert prior.model_for("s0", MODEL) == alone.model_for("s0", MODEL) != prior.model_for("s1", MODEL)
    assert fit(fleet[0], fleet=prior).model == alone.model_for("s0", MODEL)


def test_few_or_other_donors_teach_nothing(fleet, prior, simulated):
    few = FleetPrior(period=12, donors=prior.donors[:5])
    assert few.model_for("s0", MODEL) is MODEL and few.model_for("s7", MODEL) is not MODEL
    log = MODEL.model_copy(update={"transform": "log"})
    assert prior.model_for("x", log) is log
    assert prior.model_for("x", ModelConfig(period=4)) == ModelConfig(period=4)
    assert learn_fleet([fit(simulated(71))]).donors == ()


def test_it_is_plain_json_and_nothing_else_is_read(prior):
    assert FleetPrior.from_json(prior.to_json()) == prior and len(prior.to_json()) < 8 * 500
    for text in ("", "[]", '{"format": 2, "period": 12, "donors": []}', prior.to_json().replace('"sd":', '"sd":-', 1)):
        with pytest.raises(FleetFileError, match="learn the fleet again") as raised:
            FleetPrior.from_json(text)
        assert "s0" not in str(raised.value)


def test_a_lone_series_with_the_stored_prior_forecasts_as_in_the_full_run(fleet):
    """Which series are missing from a later table changes nothing."""
    config = FleetConfig(fleet_prior="on")
    full = fit_fleet(rows(fleet), config)
    stored = FleetPrior.from_json(full.prior.to_json())
    lone = fit_fleet(rows(fleet[2:3]), config, prior=stored)
    one, other = full.forecast(12)["s2"], lone.forecast(12)["s2"]
    np.testing.assert_allclose(one.mean, other.mean, atol=1e-9)
    own = fit(fleet[2], config.model, fleet=stored).forecast(12)
    shift = (own.quantile([0.1, 0.9]) - one.quantile([0.1, 0.9])) / one.sd  # another start of the grid
    assert np.abs(shift).max() < 0.01


def test_a_short_series_is_the_better_for_it(simulated, prior):
    """Two and a half years of a series like the donors, against the same without them: closer to what came."""
    gains = []
    for seed in range(6):
        whole = simulated(42, sigma=0.5, amplitude=0.3, lengthscale=4.0, slope=0.14, seed=900 + seed, name="new")
        history, actual = Series("new", whole.first_month, whole.values[:30]), whole.values[30:]
        scores = [fit(history, fleet=one).forecast(12).crps(actual).mean() for one in (prior, None)]
        gains.append(scores[0] / scores[1])
    assert np.mean(gains) < 0.97


def test_quarters_teach_each_other(fleet):
    """Six years of quarters are a donor, two years a series, and fewer borrow a climatology of quarters."""
    quarterly = [
        Series(one.id, one.first_month, one.values[: 3 * quarters : 3], step=3)
        for one, quarters in zip(fleet, (60, 60, 60, 60, 60, 60, 28, 7), strict=True)
    ]
    fitted = fit_fleet(rows(quarterly), FleetConfig(model=ModelConfig(period=4, recent_years=10), fleet_prior="on"))
    assert (fitted.prior.period, len(fitted.prior.donors), list(fitted.borrowed)) == (4, 7, ["s7"])
    model = fitted.posteriors["s6"].model
    assert len(model.seasonal_sd) == 2 and model.pooled_slope_mean == pytest.approx(0.4, abs=0.3)
    assert fitted.posteriors["s0"].recent.n_months == 40 and fitted.posteriors["s6"].recent is None
    forecasts = fitted.forecast(8)
    for one, history in zip(quarterly, fleet, strict=True):
        truth = 25 + 0.6 * np.arange(180) / 180 + 2 * np.cos(2 * np.pi * (history.months.astype(int) % 12) / 12)
        ahead = (forecasts[one.id].months - history.first_month).astype(int)
        known = ahead < 180
        assert np.abs(forecasts[one.id].mean[known] - truth[ahead[known]]).max(initial=0) < 1.2
        assert (np.diff(forecasts[one.id].months) == np.timedelta64(3, "M")).all()


@pytest.mark.full
def test_the_gate_lets_alike_series_borrow_and_keeps_unlike_ones_apart(simulated, fleet):
    inference = InferenceConfig()
    short = [Series(one.id, one.first_month, one.values[:114]) for one in fleet]
    alike = decide(short, MODEL, inference)
    assert alike.used and alike.origins == 3 and alike.cases == 24 and alike.with_fleet < alike.without
    assert not decide(short[:4], MODEL, inference).used
    config = FleetConfig(fleet_prior="auto")
    assert fit_fleet(rows(short), config).posteriors["s0"].model.shape_prior is not None


def test_the_gate_says_no_where_the_past_is_too_short(fleet):
    young = [one.until(one.first_month + 30) for one in fleet]
    decision = decide(young, MODEL, InferenceConfig())
    assert not decision.used and "too short" in decision.reason


def test_a_newcomer_gets_the_climatology_of_its_group_flagged_and_wide(fleet, simulated):
    cold = [Series(f"c{one.id}", one.first_month, one.values - 20) for one in fleet[:3]]
    young = Series("young", np.datetime64("2004-01"), cold[0].values[-12:-3])
    every = [*fleet[:3], *cold, young]
    groups = [("cold" if one.id[0] in "cy" else "warm") for one in every for _ in range(len(one))]
    fitted = fit_fleet(rows(every, group=groups), FleetConfig(fleet_prior="off"))
    forecast = fitted.forecast(12)["young"]
    assert list(fitted.borrowed) == ["young"] and "9 observed months" in fitted.borrowed["young"]
    assert np.abs(forecast.mean - 5).max() < 3.5
    unknown = group_climatology(Series("empty", np.datetime64("2004-01"), np.full(3, np.nan)), fleet, 12)
    assert np.abs(unknown.mean - 25).max() < 3.5
    with pytest.raises(TooFewMonthsError, match="no other series"):
        group_climatology(young, [young], 12)


def test_intervals_of_a_group_hold_what_they_say(fleet, simulated):
    """Nine months of a series that is like the group's; wider rather than narrower."""
    found = []
    for seed in range(40):
        whole = simulated(180, sigma=0.5, amplitude=0.3, lengthscale=4.0, slope=0.6, seed=200 + seed, name="new")
        history = Series("new", whole.first_month + 159, whole.values[159:168])
        found.append(score(group_climatology(history, fleet[:3], 12), whole.values[168:])["coverage_80"])
    assert 0.78 < np.mean(found) < 0.92


def test_one_bad_series_stops_no_other(fleet):
    stuck = Series("stuck", np.datetime64("2000-01"), np.full(60, 3.0))
    fitted = fit_fleet(rows([*fleet[:2], stuck]), FleetConfig(fleet_prior="off"))
    assert list(fitted.forecast(3)) == ["s0", "s1"] and "stuck sensor" in fitted.failed["stuck"]


def test_a_table_is_checked_by_name(fleet):
    with pytest.raises(InvalidSeriesError, match="no column 'value'"):
        fit_fleet({"series": ["a"], "date": ["2024-01"]})
    with pytest.raises(InvalidSeriesError, match="'a': a month is there twice"):
        fit_fleet({"series": ["a", "a"], "date": ["2024-01-03", "2024-01-09"], "value": [1.0, 2.0]})


def test_data_frames_are_tables(fleet):
    import polars as pl

    table = rows(fleet[:1])
    frame = pl.DataFrame({**table, "date": [str(one) + "-01" for one in table["date"]]}).with_columns(
        pl.col("date").str.to_date()
    )
    config = FleetConfig(fleet_prior="off")
    np.testing.assert_array_equal(
        fit_fleet(frame, config).forecast(3)["s0"].mean, fit_fleet(table, config).forecast(3)["s0"].mean
    )


def test_slopes_that_agree_keep_a_prior_that_doubts():
    """A dozen slopes with large errors say little about how much they differ: not that they do not."""
    rng = np.random.default_rng(0)
    alike = np.column_stack([0.3 + 0.05 * rng.standard_normal(12), np.full(12, 0.06**2)])
    mean, sd = slope_prior(alike)
    assert mean == pytest.approx(0.3, abs=0.05) and 0.015 < sd < 0.08
    far = np.column_stack([np.linspace(-1, 1, 12), np.full(12, 0.05**2)])
    assert slope_prior(far)[1] == pytest.approx(0.67, rel=0.3)
    assert slope_prior(far) == slope_prior(far[::-1])
