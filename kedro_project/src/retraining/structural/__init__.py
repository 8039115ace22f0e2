"""Bayesian structural time series for monthly data: exact, fast, audited.

posterior = fit(Series("station", np.datetime64("1961-01"), values))
forecast = posterior.forecast(12)
forecast.mean, forecast.quantile([0.1, 0.9]), forecast.interval(0.8), forecast.draws(100)
posterior.components(12)
score(forecast, actual)
"""

from .audit import audit
from .baselines import climatology, climatology_trend, seasonal_naive
from .config import InferenceConfig, ModelConfig
from .errors import (
    ConstantSeriesError,
    InferenceError,
    InvalidHorizonError,
    InvalidSeriesError,
    PosteriorFileError,
    StructuralError,
    TooFewMonthsError,
)
from .fitting import fit
from .fleet import Fleet, pack
from .forecast import Forecast
from .graph import model_graph
from .marginal import Start
from .pooling import donor_slopes, with_pooled_slope
from .posterior import Posterior
from .scoring import score, skill
from .series import Series

__all__ = [
    "ConstantSeriesError",
    "Fleet",
    "Forecast",
    "InferenceConfig",
    "InferenceError",
    "InvalidHorizonError",
    "InvalidSeriesError",
    "ModelConfig",
    "Posterior",
    "PosteriorFileError",
    "Series",
    "Start",
    "StructuralError",
    "TooFewMonthsError",
    "audit",
    "climatology",
    "climatology_trend",
    "donor_slopes",
    "fit",
    "model_graph",
    "pack",
    "score",
    "seasonal_naive",
    "skill",
    "with_pooled_slope",
]
