"""What a fleet teaches each of its series: priors by empirical Bayes (Morris 1983), from one fit a donor.

Donors are series with at least 72 observed months (24 quarters). Of each are kept, from its posterior under the model's
own priors:

    m_i, V_i     mean and covariance of (log sigma - log eta, log l), which have no unit
    a_k, b_k     posterior means of its Fourier coefficients, in units
    b_i, v_i     its slope in units a decade, and that slope's variance, by its own data alone

For a series the other donors give

    shape        Normal(mean of m_i, cov(m_i) + mean V_i + 0.02 I), flat in log eta
    season       sd of harmonic k = max(1.5 sqrt(mean of (a_k^2 + b_k^2) / 2), 5 % of the donors' median sd)
    slope        Normal(m, s^2), m and s with their uncertainty (see slope_prior)

The series itself is always left out, for its data would count twice. Donors modelled by their logarithm teach such
series, the others the others.
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveFloat, ValidationError

from .config import ModelConfig, ShapePrior
from .errors import FleetFileError
from .posterior import Posterior
from .seasonality import fourier_labels
from .slope_prior import slope_prior
from .trend import MONTHS_A_DECADE

Floats = NDArray[np.float64]

DONOR_MONTHS, MIN_DONORS = 72, 5
NUGGET, WIDEN, FLOOR = 0.02, 1.5, 0.05


class Donor(BaseModel):
    """What one series gives.

    Attributes:
        shape: posterior mean of (log sigma - log eta, log l).
        spread: its covariance, (v00, v01, v11).
        season: mean square of the Fourier coefficients of each harmonic, in units.
        slope: by its own data, in units a decade, and the variance of that; None where they say nothing.
        sd: of its observed values, in units.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    series: str
    transform: Literal["none", "log"]
    shape: tuple[float, float]
    spread: tuple[NonNegativeFloat, float, NonNegativeFloat]
    season: tuple[NonNegativeFloat, ...]
    slope: tuple[float, PositiveFloat] | None
    sd: PositiveFloat

    @classmethod
    def of(cls, posterior: Posterior) -> "Donor":
        """From a posterior under the model's own priors (no fleet's)."""
        weights, u = posterior.weights, posterior.log_theta.astype(np.float64)
        shape = np.column_stack([u[:, 0] - u[:, 1], u[:, 2]])
        centre = weights @ shape
        spread = np.einsum("s,si,sj->ij", weights, shape - centre, shape - centre)
        given, target, model = posterior.conditional, posterior.target, posterior.model
        c = weights @ given.mean * target.y_sd
        harmonic = np.array([int(label[3:]) for label in fourier_labels(model.period, model.harmonics)])
        season = [float((c[2:][harmonic == k] ** 2).mean()) for k in range(1, model.harmonics + 1)]
        return cls(
            series=posterior.series_id,
            transform="log" if posterior.is_log else "none",
            shape=(float(centre[0]), float(centre[1])),
            spread=(float(spread[0, 0]), float(spread[0, 1]), float(spread[1, 1])),
            season=tuple(season),
            slope=_own_slope(posterior),
            sd=float(target.y_sd),
        )


def _own_slope(posterior: Posterior) -> tuple[float, float] | None:
    """(mean, variance) of the slope with its prior taken out again: precisions add for Gaussians."""
    given, target, weights = posterior.conditional, posterior.target, posterior.weights
    mean = float(weights @ given.mean[:, 1])
    variance = float(weights @ ((given.root[:, :, 1] ** 2).sum(axis=1) + (given.mean[:, 1] - mean) ** 2))
    m0, v0 = float(target.prior_mean[1]), float(target.prior_sd[1]) ** 2
    precision = 1 / variance - 1 / v0
    if precision <= 0.01 / v0:
        return None
    unit = MONTHS_A_DECADE * target.y_sd / (target.step * (target.length - 1) / 2)
    return unit * (mean / variance - m0 / v0) / precision, unit**2 / precision


class FleetPrior(BaseModel):
    """Donors by transform, and how often a year they are observed; small, and plain JSON.

    prior = learn_fleet(posteriors)
    fit(series, model, fleet=prior)
    FleetPrior.from_json(prior.to_json())
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    period: int
    donors: tuple[Donor, ...]

    def model_for(self, series_id: str, model: ModelConfig) -> ModelConfig:
        """The model with what the other series teach; as it is where fewer than five donors are left.

        `model.transform` must be settled. Numbers that the model has been given already are replaced.
        """
        others = [one for one in self.donors if one.series != series_id and one.transform == model.transform]
        if len(others) < MIN_DONORS or model.period != self.period:
            return model
        given: dict[str, object] = {"shape_prior": _shape(others)}
        if len(others[0].season) == model.harmonics:
            given["seasonal_sd"] = _seasonal_sd(others)
        slopes = [one.slope for one in others if one.slope is not None]
        if len(slopes) >= MIN_DONORS:
            mean, sd = slope_prior(np.array(slopes))
            given |= {"pooled_slope_mean": mean, "pooled_slope_sd": sd}
        return model.model_copy(update=given)

    def to_json(self) -> str:
        """One text of plain numbers, donors in the order of their ids."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> "FleetPrior":
        """Inverse of `to_json`.

        Raises:
            FleetFileError: the text is something else.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise FleetFileError.of(error, "not a fleet prior of this version", "learn the fleet again") from None


def learn_fleet(posteriors: Iterable[Posterior]) -> FleetPrior:
    """What these series teach; those with too few observed months teach nothing. Results do not depend on the order.

    learn_fleet([fit(one) for one in series])

    Args:
        posteriors: under the model's own priors, all with one period.
    """
    donors, period = [], 12
    for posterior in posteriors:
        period = posterior.model.period
        if posterior.n_months * posterior.series.step >= DONOR_MONTHS:
            donors.append(Donor.of(posterior))
    return FleetPrior(period=period, donors=tuple(sorted(donors, key=lambda one: one.series)))


def _shape(donors: list[Donor]) -> ShapePrior:
    shapes, spreads = np.array([one.shape for one in donors]), np.array([one.spread for one in donors])
    mean, within = shapes.mean(axis=0), spreads.mean(axis=0)
    total = np.cov(shapes.T) + np.array([[within[0], within[1]], [within[1], within[2]]]) + NUGGET * np.eye(2)
    return ShapePrior(
        mean=(float(mean[0]), float(mean[1])),
        variance=(float(total[0, 0]), float(total[1, 1])),
        covariance=float(total[0, 1]),
    )


def _seasonal_sd(donors: list[Donor]) -> tuple[float, ...]:
    floor = FLOOR * float(np.median([one.sd for one in donors]))
    power = np.array([one.season for one in donors]).mean(axis=0)
    return tuple(float(value) for value in np.maximum(WIDEN * np.sqrt(power), floor))
