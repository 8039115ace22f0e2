"""Bayesian structural time series for monthly data: exact, fast, audited.

posterior = fit(Series("station", np.datetime64("1961-01"), values))
forecast = posterior.forecast(12)
forecast.mean, forecast.quantile([0.1, 0.9]), forecast.interval(0.8), forecast.draws(100)
posterior.components(12)
score(forecast, actual)

A posterior is kept in a file (`save_posterior`, `load_posterior`) and shown to ArviZ (`to_inference_data`).
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
from .inference_data import from_inference_data, to_inference_data
from .marginal import Start
from .pooling import donor_slopes, with_pooled_slope
from .posterior import Posterior
from .scoring import score, skill
from .series import Series
from .storage import load_posterior, save_posterior, to_netcdf

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
    "from_inference_data",
    "load_posterior",
    "model_graph",
    "pack",
    "save_posterior",
    "score",
    "seasonal_naive",
    "skill",
    "to_inference_data",
    "to_netcdf",
    "with_pooled_slope",
]
