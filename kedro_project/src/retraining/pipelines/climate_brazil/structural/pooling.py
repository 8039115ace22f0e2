"""A prior for one series' slope from the slopes of the others.

Empirical Bayes in its plainest form: slopes of long histories by least squares, their mean and standard deviation as
the prior of a series that is not among them. The standard deviation holds the slopes' own errors too, which errs to
the careful side.
"""

from collections.abc import Mapping
from math import fsum, sqrt

from .baselines import climatology_trend_slope
from .config import ModelConfig
from .series import Series

DONOR_MONTHS = 180  # observed; a slope from less says more about the weather of its years
MIN_DONORS = 5


def donor_slopes(series: Mapping[str, Series]) -> dict[str, float]:
    """Slope of each series whose history is long enough to tell, degC per decade."""
    return {name: climatology_trend_slope(one) for name, one in series.items() if one.observed.sum() >= DONOR_MONTHS}


def with_pooled_slope(model: ModelConfig, series: Series, slopes: Mapping[str, float], min_years: float) -> ModelConfig:
    """The model with the other series' slopes as prior, where the history is shorter than `min_years`.

    The series' own slope is left out: its data would count twice. With fewer than `MIN_DONORS` others, or where the
    model is (or may be) of the logarithm, whose slopes have another unit, the model stays as it is.
    """
    others = sorted(slope for name, slope in slopes.items() if name != series.id)
    if len(series) >= 12 * min_years or len(others) < MIN_DONORS or model.transform != "none":
        return model
    mean = fsum(others) / len(others)
    sd = sqrt(fsum((slope - mean) ** 2 for slope in others) / (len(others) - 1))
    return model.model_copy(update={"pooled_slope_mean": mean, "pooled_slope_sd": max(sd, 1e-3)})
