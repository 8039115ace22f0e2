"""Bayesian structural time series for monthly data: exact, fast, audited.

posterior = fit(Series("station", np.datetime64("1961-01"), values))
forecast = posterior.forecast(12)
forecast.mean, forecast.quantile([0.1, 0.9]), forecast.interval(0.8), forecast.draws(100)
posterior.components(12)
score(forecast, actual)

fleet = fit_fleet(table)              # columns series, date, value: what the series teach each other, and all fits
fleet.forecast(12)["station"].mean
fit(new_series, fleet=fleet.prior)    # a series of its own, with what that fleet has taught

A posterior is kept in a file (`save_posterior`, `load_posterior`) and shown to ArviZ (`to_inference_data`).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .config import InferenceConfig, ModelConfig, ShapePrior
from .errors import (
    ConstantSeriesError,
    FleetFileError,
    InferenceError,
    InvalidHorizonError,
    InvalidSeriesError,
    PosteriorFileError,
    StructuralError,
    TooFewMonthsError,
)

if TYPE_CHECKING:
    from .auditing import audit
    from .baselines import climatology, climatology_trend, seasonal_naive
    from .borrowed import BORROWED, BorrowedPosterior, borrow
    from .fitted_fleet import FittedFleet, FleetConfig, fit_fleet
    from .fitting import fit
    from .fleet import Fleet, pack
    from .fleet_gate import GATE_SERIES, Decision, decide, sampled
    from .fleet_prior import DONOR_MONTHS, Donor, FleetPrior, learn_fleet
    from .forecast import Forecast
    from .graph import model_graph
    from .grouping import GroupClimate, group_climatology, nobody_lends
    from .inference_data import from_inference_data, to_inference_data
    from .lognormal import LogMixture
    from .marginal import Start
    from .mixture import Mixture
    from .pooling import donor_slopes, with_pooled_slope
    from .posterior import Posterior
    from .scoring import score, skill
    from .series import MIN_OBSERVED_MONTHS, Series
    from .storage import load_posterior, save_posterior, to_netcdf
    from .windows import AveragedForecast

__all__ = [
    "BORROWED",
    "DONOR_MONTHS",
    "GATE_SERIES",
    "MIN_OBSERVED_MONTHS",
    "AveragedForecast",
    "BorrowedPosterior",
    "ConstantSeriesError",
    "Decision",
    "Donor",
    "FittedFleet",
    "Fleet",
    "FleetConfig",
    "FleetFileError",
    "FleetPrior",
    "Forecast",
    "GroupClimate",
    "InferenceConfig",
    "InferenceError",
    "InvalidHorizonError",
    "InvalidSeriesError",
    "LogMixture",
    "Mixture",
    "ModelConfig",
    "Posterior",
    "PosteriorFileError",
    "Series",
    "ShapePrior",
    "Start",
    "StructuralError",
    "TooFewMonthsError",
    "audit",
    "borrow",
    "climatology",
    "climatology_trend",
    "decide",
    "donor_slopes",
    "fit",
    "fit_fleet",
    "from_inference_data",
    "group_climatology",
    "learn_fleet",
    "load_posterior",
    "model_graph",
    "nobody_lends",
    "pack",
    "sampled",
    "save_posterior",
    "score",
    "seasonal_naive",
    "skill",
    "to_inference_data",
    "to_netcdf",
    "with_pooled_slope",
]

# Numba is a second to import, and who asks for a configuration, as a check of parameters does, needs none of it. What a
# name stands in is what is imported above for who reads types; no module bears a name of this table.
_MODULES = {
    "auditing": ("audit",),
    "baselines": ("climatology", "climatology_trend", "seasonal_naive"),
    "borrowed": ("BORROWED", "BorrowedPosterior", "borrow"),
    "fitted_fleet": ("FittedFleet", "FleetConfig", "fit_fleet"),
    "fitting": ("fit",),
    "fleet": ("Fleet", "pack"),
    "fleet_gate": ("GATE_SERIES", "Decision", "decide", "sampled"),
    "fleet_prior": ("DONOR_MONTHS", "Donor", "FleetPrior", "learn_fleet"),
    "forecast": ("Forecast",),
    "graph": ("model_graph",),
    "grouping": ("GroupClimate", "group_climatology", "nobody_lends"),
    "inference_data": ("from_inference_data", "to_inference_data"),
    "lognormal": ("LogMixture",),
    "marginal": ("Start",),
    "mixture": ("Mixture",),
    "pooling": ("donor_slopes", "with_pooled_slope"),
    "posterior": ("Posterior",),
    "scoring": ("score", "skill"),
    "series": ("MIN_OBSERVED_MONTHS", "Series"),
    "storage": ("load_posterior", "save_posterior", "to_netcdf"),
    "windows": ("AveragedForecast",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """The public name, imported when it is first asked for."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = found
    return found
