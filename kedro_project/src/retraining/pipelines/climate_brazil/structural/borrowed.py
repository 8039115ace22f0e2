"""In the place of a posterior, for a series that is too short for one: the climatology of its group."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .baselines import season_of
from .config import ModelConfig
from .forecast import Forecast
from .grouping import GroupClimate
from .posterior import Posterior
from .series import Series

Floats = NDArray[np.float64]

BORROWED = "climatology of its group"


@dataclass(frozen=True, eq=False)
class BorrowedPosterior(Posterior):
    """Forecasts like a posterior, and is stored and served like one; it has no theta, so that nothing can audit it."""

    climate: GroupClimate | None = None

    @property
    def y_mean(self) -> float:
        """The level, on the scale of the model."""
        return self._climate.level_of(self.series)[0]

    @property
    def y_sd(self) -> float:
        """Standard deviation around the calendar means of the group, on the scale of the model."""
        return float(np.sqrt(self._climate.noise))

    @property
    def _climate(self) -> GroupClimate:
        assert self.climate is not None  # `borrow` gives one
        return self.climate

    def _of_this_window(self, n_ahead: int) -> Forecast:
        return self._climate.predictive(self.series, self.series.ahead(n_ahead))

    @cached_property
    def _in_sample(self) -> Forecast:
        return self._climate.predictive(self.series, self.series.months)

    def components(self, n_ahead: int = 0) -> dict[str, NDArray[Any]]:
        """The level as trend, the group's calendar means as season; see `Posterior.components`."""
        self._check_horizon(n_ahead, 0)
        months = np.concatenate([self.series.months, self.series.ahead(n_ahead)])
        season = season_of(months, self.series.step)
        level, variance = self._climate.level_of(self.series)
        trend, shape = np.full(len(months), level), np.array(self._climate.shape)[season]
        trend_sd, shape_sd = np.full(len(months), variance**0.5), np.sqrt(np.array(self._climate.spread)[season])
        if self.is_log:
            base, fitted = np.exp(trend), np.exp(trend + shape)
            trend, trend_sd, shape, shape_sd = base, base * trend_sd, fitted - base, fitted * shape_sd
        return {
            "months": months,
            "trend": trend,
            "trend_sd": trend_sd,
            "seasonality": shape,
            "seasonality_sd": shape_sd,
        }


def borrow(series: Series, climate: GroupClimate, model: ModelConfig | None = None) -> BorrowedPosterior:
    """The climatology of its group for `series`, which may have no observation at all.

    borrow(new, GroupClimate.of(fleet)).forecast(12)
    """
    transform = "log" if climate.log else "none"
    return BorrowedPosterior(
        series,
        (model or ModelConfig()).model_copy(update={"transform": transform, "recent_years": None}),
        np.empty((0, 3), np.float32),
        np.empty(0, np.float32),
        BORROWED,
        {},
        None,
        0,
        climate=climate,
    )
