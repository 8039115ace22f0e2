"""One monthly series and its standardisation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import ConstantSeriesError, InvalidSeriesError, TooFewMonthsError

MIN_OBSERVED_MONTHS = 24
PERIOD = 12  # months of a year

Floats = NDArray[np.float64]
Months = NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class Series:
    """Consecutive months from `first_month`; values in degC, NaN where the month is missing.

    The last training month is the last element, observed or not: the forecast starts one month after it. `step` is
    the months from one value to the next: 3 for a quarterly series, whose model has `period: 4`.
    """

    id: str
    first_month: np.datetime64
    values: Floats
    step: int = 1

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        if values.ndim != 1 or values.size == 0:
            raise InvalidSeriesError(f"series {self.id!r}: values must be one number a month, got shape {values.shape}")
        if np.isinf(values).any():
            raise InvalidSeriesError(f"series {self.id!r}: infinite values; mark missing months with NaN")
        first = np.datetime64(str(self.first_month), "M")
        if np.isnat(first):
            raise InvalidSeriesError(f"series {self.id!r}: first_month is not a date; give a month like 1961-01")
        if self.step < 1 or PERIOD % self.step:
            raise InvalidSeriesError(
                f"series {self.id!r}: step={self.step}; a year is a whole number of steps of months"
            )
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "first_month", first)

    def __len__(self) -> int:
        return int(self.values.size)

    @property
    def last_month(self) -> np.datetime64:
        """Month of the last value, observed or not."""
        return self.first_month + np.timedelta64(self.step * (len(self) - 1), "M")

    @property
    def months(self) -> Months:
        """Every month from the first to the last."""
        return self.first_month + (self.step * np.arange(len(self))).astype("timedelta64[M]")

    def ahead(self, count: int) -> Months:
        """The `count` months (quarters) after the last."""
        return self.last_month + (self.step * np.arange(1, count + 1)).astype("timedelta64[M]")

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Which months have a value."""
        return ~np.isnan(self.values)

    def until(self, last_month: np.datetime64 | str) -> "Series":
        """The part up to and including `last_month`, for rolling origins."""
        end = np.datetime64(str(last_month), "M")
        length = int((end - self.first_month).astype(int)) // self.step + 1
        if not 1 <= length <= len(self):
            raise InvalidSeriesError(
                f"series {self.id!r}: {last_month} is outside {self.first_month}..{self.last_month}"
            )
        return Series(self.id, self.first_month, self.values[:length], self.step)

    def newest(self, count: int) -> "Series":
        """The last `count` values, or all where there are fewer."""
        kept = min(count, len(self))
        return Series(self.id, self.months[-kept], self.values[-kept:], self.step)


@dataclass(frozen=True, eq=False)
class Standardised:
    """(value - mean) / sd of the observed months; missing months carry 0 and are never read."""

    y: Floats
    observed: NDArray[np.bool_]
    mean: float
    sd: float


def standardise(series: Series, log: bool = False) -> Standardised:
    """Refuse what has no seasonal cycle or no scale, standardise the rest; of log(value) where `log` says so."""
    observed = series.observed
    kept = series.values[observed]
    if log and (kept <= 0).any():
        raise InvalidSeriesError(
            f"series {series.id!r}: transform: log needs values above zero, {int((kept <= 0).sum())} are not (first: "
            f"{series.months[observed][kept <= 0][0]}); use transform: none, or auto, which takes log where it can"
        )
    values = np.log(np.where(observed, series.values, 1.0)) if log else series.values
    kept = values[observed]
    if kept.size < MIN_OBSERVED_MONTHS:
        raise TooFewMonthsError(
            f"series {series.id!r}: {kept.size} observed months, at least {MIN_OBSERVED_MONTHS} are needed; "
            "give it a longer history or leave it out"
        )
    mean, sd = float(kept.mean()), float(kept.std())
    if np.ptp(kept) <= 1e-9 * max(1.0, abs(mean)):
        raise ConstantSeriesError(
            f"series {series.id!r}: every observed month is {series.values[observed][0]:g}; a stuck sensor? leave the "
            "series out"
        )
    y = np.where(observed, (values - mean) / sd, 0.0)
    return Standardised(y, observed, mean, sd)
