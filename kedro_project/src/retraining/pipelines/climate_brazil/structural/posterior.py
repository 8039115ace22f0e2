"""The posterior of one series: its data and a weighted sample of theta.

Nothing else has to be kept. Given theta the model is linear and Gaussian, so coefficients, trend and forecasts
follow exactly from one more pass of the filter over the data (about 20 ms for 1,024 points), which is done when first
asked for. Theta and weights are rounded to float32 before anything is computed from them, so that a posterior and
its stored copy give the same forecasts, bit for bit.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config import ModelConfig
from .errors import InvalidHorizonError
from .forecast import Forecast, systematic
from .likelihood import Conditional, Target
from .lognormal import LogMixture
from .marginal import Start
from .mixture import Mixture
from .predict import components_ahead, draw_paths, predict
from .series import Series
from .smooth import Smoothed, smooth
from .windows import AveragedForecast

Floats = NDArray[np.float64]

MAX_AHEAD = 600
SMOOTHED_POINTS = 64  # in-sample bands are looked at, not scored: 64 values of theta are plenty


@dataclass(frozen=True, eq=False)
class Posterior:
    """Data and weighted log theta (S, 3) float32; `chains` > 1 when the points are unweighted chains of NUTS.

    `recent` is the posterior of the same model on the newest years alone: a forecast then averages both windows (see
    windows). Everything else, components and audit too, speaks of the whole history. `start` is None where there is
    none to go on from.
    """

    series: Series
    model: ModelConfig
    log_theta: NDArray[np.float32]
    raw_weight: NDArray[np.float32]
    method_used: str
    diagnostics: dict[str, float]
    start: Start | None
    seed: int
    draws: int = 1000
    chains: int = 1
    recent: "Posterior | None" = None

    @property
    def series_id(self) -> str:
        """Identity of the series."""
        return self.series.id

    @property
    def first_month(self) -> np.datetime64:
        """First training month."""
        return self.series.first_month

    @property
    def last_month(self) -> np.datetime64:
        """Last training month, observed or not."""
        return self.series.last_month

    @property
    def n_months(self) -> int:
        """Observed training months."""
        return int(self.series.observed.sum())

    @property
    def y_mean(self) -> float:
        """Mean of the observed training months, degC; of their logarithms where the model is of those."""
        return self.target.y_mean

    @property
    def y_sd(self) -> float:
        """Standard deviation of the observed training months, likewise."""
        return self.target.y_sd

    @cached_property
    def target(self) -> Target:
        """The standardised data and what filters them."""
        return Target.of(self.series, self.model)

    @property
    def theta(self) -> Floats:
        """(sigma, amplitude, lengthscale) at each point, (S, 3); the first two standardised, the last in months."""
        return np.exp(self.log_theta.astype(np.float64))

    @cached_property
    def weights(self) -> Floats:
        """Normalised weights of the points, (S,)."""
        weight = self.raw_weight.astype(np.float64)
        return weight / weight.sum()

    @cached_property
    def conditional(self) -> Conditional:
        """What is Gaussian given each point."""
        return self.target.conditional(self.log_theta.astype(np.float64))

    def forecast(self, n_ahead: int) -> Forecast:
        """Months (quarters) 1 to n_ahead after the last, in the unit of the series."""
        self._check_horizon(n_ahead, 1)
        own = self._of_this_window(n_ahead)
        return own if self.recent is None else AveragedForecast(own, self.recent._of_this_window(n_ahead))

    @property
    def is_log(self) -> bool:
        """Whether the model is of the logarithm."""
        return self.model.transform == "log"

    def _of_this_window(self, n_ahead: int) -> Forecast:
        target, given, weights = self.target, self.conditional, self.weights
        mean, sd = predict(target, given, n_ahead)
        months = self.series.ahead(n_ahead)
        paths = Paths(self, n_ahead)
        mixture = Mixture(months, weights, target.y_mean + target.y_sd * mean, target.y_sd * sd, paths)
        return LogMixture.of(mixture) if self.is_log else mixture

    def _check_horizon(self, n_ahead: int, least: int) -> None:
        if not least <= n_ahead <= MAX_AHEAD:
            raise InvalidHorizonError(
                f"series {self.series_id!r}: n_ahead={n_ahead} is not within {least}..{MAX_AHEAD} months"
            )

    @cached_property
    def _representative(self) -> Conditional:
        """Equally weighted subset of theta for what is drawn in-sample."""
        index = np.sort(systematic(self.weights, SMOOTHED_POINTS, np.random.default_rng(self.seed)))
        return self.target.conditional(self.log_theta.astype(np.float64)[index])

    @cached_property
    def _smoothed(self) -> Smoothed:
        return smooth(self.target, self._representative)

    def in_sample(self) -> Forecast:
        """Posterior predictive of a new observation in every training month, missing ones too, degC."""
        return self._in_sample

    @cached_property
    def _in_sample(self) -> Forecast:
        smoothed, equal = self._smoothed, np.full(SMOOTHED_POINTS, 1 / SMOOTHED_POINTS)
        means = self.y_mean + self.y_sd * smoothed.y_mean
        mixture = Mixture(self.series.months, equal, means, self.y_sd * smoothed.y_sd)
        return LogMixture.of(mixture) if self.is_log else mixture

    @cached_property
    def summary(self) -> dict[str, NDArray[np.float32]]:
        """In-sample mean, sd, low and high (80 % highest-density interval) by month; `forget` keeps these 12 kB."""
        in_sample = self.in_sample()
        low, high = in_sample.interval(0.8)
        bands = {"mean": in_sample.mean, "sd": in_sample.sd, "low": low, "high": high}
        return {name: values.astype(np.float32) for name, values in bands.items()}

    def components(self, n_ahead: int = 0) -> dict[str, NDArray[Any]]:
        """Posterior mean and sd by month: months, trend, trend_sd, seasonality (around 0), seasonality_sd.

        In the unit of the series. Where the model is of the logarithm these are exp(trend) and what the season adds to
        it, exp(trend + season) - exp(trend), of the means, with sds by the delta method.
        """
        self._check_horizon(n_ahead, 0)
        smoothed, target, given = self._smoothed, self.target, self._representative
        parts = [smoothed.trend_mean, smoothed.trend_sd, smoothed.seasonality_mean, smoothed.seasonality_sd]
        if n_ahead:
            ahead = components_ahead(target, given, n_ahead)
            parts = [np.concatenate([a, b], axis=1) for a, b in zip(parts, ahead, strict=True)]
        out: dict[str, NDArray[Any]] = {"months": np.concatenate([self.series.months, self.series.ahead(n_ahead)])}
        for name, (mean, sd), offset in (("trend", parts[:2], self.y_mean), ("seasonality", parts[2:], 0.0)):
            out[name] = offset + self.y_sd * mean.mean(axis=0)
            out[f"{name}_sd"] = self.y_sd * np.sqrt((sd**2).mean(axis=0) + mean.var(axis=0))
        if self.is_log:
            level, fitted = np.exp(out["trend"]), np.exp(out["trend"] + out["seasonality"])
            out |= {"trend": level, "trend_sd": level * out["trend_sd"]}
            out |= {"seasonality": fitted - level, "seasonality_sd": fitted * out["seasonality_sd"]}
        return out

    def forget(self) -> None:
        """Drop what can be computed again (4 MB for 1,024 points and 700 months), to keep many posteriors in memory."""
        for name in ("conditional", "_representative", "_smoothed", "_in_sample", "target"):
            self.__dict__.pop(name, None)
        if self.recent is not None:
            self.recent.forget()


@dataclass(frozen=True, eq=False)
class Paths:
    """Sampler of joint paths, of the logarithm where the model is of that.

    A class, so that a forecast can be pickled and sent to another process. It keeps the posterior, not what the
    posterior can forget.
    """

    posterior: Posterior
    n_ahead: int

    def __call__(self, n: int, seed: int) -> Floats:
        """n paths, (n, n_ahead)."""
        target, given, weights = self.posterior.target, self.posterior.conditional, self.posterior.weights
        return target.y_mean + target.y_sd * draw_paths(target, given, weights, self.n_ahead, n, seed)
