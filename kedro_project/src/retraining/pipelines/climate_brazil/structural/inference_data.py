"""The posterior as an ArviZ InferenceData, with the same groups, names and dims for every method.

Draws of theta are resampled from the weighted points (chains of NUTS stay as they are); the coefficients are then
drawn from their exact Gaussian given each theta. sigma, amplitude, intercept, slope and fourier are on the
standardised scale; `constant_data` has the mean and sd (degC) to undo it.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from .contents import ATTRIBUTE, DATA, POINTS, RECENT_POINTS, from_contents, to_contents
from .errors import InferenceError, PosteriorFileError
from .forecast import systematic
from .posterior import Posterior
from .predict import draw_coefficients
from .priors import HYPERPARAMETERS
from .seasonality import fourier_labels

if TYPE_CHECKING:
    import arviz


def posterior_draws(posterior: Posterior) -> dict[str, Any]:
    """sigma, amplitude, lengthscale, intercept, slope (chain, draw) and fourier (chain, draw, harmonic)."""
    rng = np.random.default_rng(posterior.seed)
    if posterior.chains > 1:
        index = np.arange(len(posterior.log_theta))
    else:
        index = systematic(posterior.weights, posterior.draws, rng)
    c = draw_coefficients(posterior.conditional, index, rng)
    theta = posterior.theta[index]
    columns = {name: theta[:, i] for i, name in enumerate(HYPERPARAMETERS)}
    columns |= {"intercept": c[:, 0], "slope": c[:, 1], "fourier": c[:, 2:]}
    return {
        name: values.reshape(posterior.chains, -1, *values.shape[1:]).astype(np.float32)
        for name, values in columns.items()
    }


def to_inference_data(posterior: Posterior) -> "arviz.InferenceData":
    """Draws for a person, and what a posterior is made of (see `contents`), as ArviZ groups.

    idata = to_inference_data(posterior)

    Raises:
        InferenceError: the series is too short for a posterior.
    """
    if not len(posterior.log_theta):
        raise InferenceError(f"series {posterior.series_id!r} has no posterior: it borrows its group's climatology")
    import arviz as az  # heavy: with it xarray and pandas, half a second
    import xarray as xr

    groups, attribute = to_contents(posterior)
    month = posterior.series.months.astype("datetime64[ns]")
    datasets: dict[str, Any] = {}
    for name, arrays in groups.items():
        has_months = any("month" in dims for dims, _ in arrays.values())
        coords: dict[str, Any] = {"month": month} if has_months else {"hyperparameter": list(HYPERPARAMETERS)}
        datasets[name] = xr.Dataset(arrays, coords=coords, attrs={"series_id": posterior.series_id})
    datasets[POINTS].attrs[ATTRIBUTE] = attribute
    draws = posterior_draws(posterior)
    fourier = fourier_labels(posterior.model.period, posterior.model.harmonics)
    datasets["posterior"] = xr.Dataset(
        {name: (("chain", "draw", "harmonic")[: values.ndim], values) for name, values in draws.items()},
        coords={
            "chain": np.arange(posterior.chains),
            "draw": np.arange(draws["sigma"].shape[1]),
            "harmonic": fourier,
        },
        attrs={"series_id": posterior.series_id, "method_used": posterior.method_used},
    )
    datasets["constant_data"] = xr.Dataset({"y_mean": posterior.y_mean, "y_sd": posterior.y_sd})
    return az.InferenceData(**datasets)


def from_inference_data(idata: "arviz.InferenceData") -> Posterior:
    """Inverse of `to_inference_data`; the draws are not read.

    Raises:
        PosteriorFileError: these groups were not written by `to_inference_data`.
    """
    if POINTS not in idata.groups() or ATTRIBUTE not in idata[POINTS].attrs:
        raise PosteriorFileError(f"no group {POINTS!r} written by to_inference_data(): fit the series again")
    points = idata[POINTS]
    recent = None
    if RECENT_POINTS in idata.groups():
        recent = idata[RECENT_POINTS]["log_theta"].values, idata[RECENT_POINTS]["weight"].values
    return from_contents(
        points["log_theta"].values,
        points["weight"].values,
        idata[DATA]["temperature"].values,
        points.attrs[ATTRIBUTE],
        recent,
    )
