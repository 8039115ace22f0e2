"""A slope's prior from the other series."""

import numpy as np
import pytest
from pydantic import ValidationError

from retraining.pipelines.climate_brazil.structural import ModelConfig, donor_slopes, fit, with_pooled_slope

MODEL = ModelConfig()
SLOPES = {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4, "e": 0.5, "f": 9.0}


def test_the_slope_of_a_line_is_found_in_degrees_per_decade(simulated):
    series = simulated(240, slope=1.0, sigma=0.01, amplitude=0.01, missing=0.2)
    slopes = donor_slopes({"long": series, "short": simulated(120)})
    assert slopes == {"long": pytest.approx(0.5, abs=0.01)}


def test_a_series_own_slope_is_no_part_of_its_prior(simulated):
    pooled = with_pooled_slope(MODEL, simulated(120, name="f"), SLOPES, 60)
    assert pooled.pooled_slope_mean == pytest.approx(0.3)
    assert pooled.pooled_slope_sd == pytest.approx(np.std([0.1, 0.2, 0.3, 0.4, 0.5], ddof=1))
    assert with_pooled_slope(MODEL, simulated(120, name="g"), SLOPES, 60).pooled_slope_mean == pytest.approx(1.75)


def test_the_order_of_the_series_changes_no_bit(simulated):
    backwards = dict(reversed(SLOPES.items()))
    series = simulated(120)
    assert with_pooled_slope(MODEL, series, SLOPES, 60) == with_pooled_slope(MODEL, series, backwards, 60)


@pytest.mark.parametrize(("years", "donors"), [(10, 6), (0, 6), (60, 4)])
def test_long_histories_and_few_donors_leave_the_model_alone(simulated, years, donors):
    few = dict(list(SLOPES.items())[:donors])
    assert with_pooled_slope(MODEL, simulated(120), few, years) is MODEL


@pytest.mark.parametrize("transform", ["log", "auto"])
def test_slopes_in_degrees_are_no_slopes_of_a_logarithm(simulated, transform):
    model = ModelConfig(transform=transform)
    assert with_pooled_slope(model, simulated(120), SLOPES, 60) is model


def test_a_tight_prior_is_the_slope_of_the_forecast(simulated):
    """Five years of noise, told that it warms by 12 degC a decade: 1.2 degC a year."""
    model = ModelConfig(pooled_slope_mean=12.0, pooled_slope_sd=1e-3, amplitude_scale=1e-3)
    series = simulated(60, slope=6.0, sigma=0.2, amplitude=0.01)
    mean = fit(series, model).forecast(24).mean
    assert mean[12:] - mean[:12] == pytest.approx(1.2, abs=0.02)


def test_half_a_prior_is_refused():
    with pytest.raises(ValidationError, match="or neither"):
        ModelConfig(pooled_slope_mean=0.1)
