"""One monthly series and its standardisation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import ConstantSeriesError, InvalidSeriesError, TooFewMonthsError

MIN_OBSERVED_MONTHS = 24

Floats = NDArray[np.float64]
Months = NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class Series:
    """Consecutive months from `first_month`; values in degC, NaN where the month is missing.

    The last training month is the last element, observed or not: the forecast starts one month after it.
    """

    id: str
    first_month: np.datetime64
    values: Floats

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        if values.ndim != 1 or values.size == 0:
            raise InvalidSeriesError(f"series {self.id!r}: values must be one number a month, got shape {values.shape}")
        if np.isinf(values).any():
            raise InvalidSeriesError(f"series {self.id!r}: infinite values; mark missing months with NaN")
        first = np.datetime64(str(self.first_month), "M")
        if np.isnat(first):
            raise InvalidSeriesError(f"series {self.id!r}: first_month is not a date; give a month like 1961-01")
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "first_month", first)

    def __len__(self) -> int:
        return int(self.values.size)

    @property
    def last_month(self) -> np.datetime64:
        """Month of the last value, observed or not."""
        return self.first_month + np.timedelta64(len(self) - 1, "M")

    @property
    def months(self) -> Months:
        """Every month from the first to the last."""
        return self.first_month + np.arange(len(self)).astype("timedelta64[M]")

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Which months have a value."""
        return ~np.isnan(self.values)

    def until(self, last_month: np.datetime64 | str) -> "Series":
        """The part up to and including `last_month`, for rolling origins."""
        end = np.datetime64(str(last_month), "M")
        length = int((end - self.first_month).astype(int)) + 1
        if not 1 <= length <= len(self):
            raise InvalidSeriesError(
                f"series {self.id!r}: {last_month} is outside {self.first_month}..{self.last_month}"
            )
        return Series(self.id, self.first_month, self.values[:length])


@dataclass(frozen=True, eq=False)
class Standardised:
    """(value - mean) / sd of the observed months; missing months carry 0 and are never read."""

    y: Floats
    observed: NDArray[np.bool_]
    mean: float
    sd: float


def standardise(series: Series) -> Standardised:
    """Refuse what has no seasonal cycle or no scale, standardise the rest."""
    observed = series.observed
    kept = series.values[observed]
    if kept.size < MIN_OBSERVED_MONTHS:
        raise TooFewMonthsError(
            f"series {series.id!r}: {kept.size} observed months, at least {MIN_OBSERVED_MONTHS} are needed; "
            "give it a longer history or leave it out"
        )
    mean, sd = float(kept.mean()), float(kept.std())
    if np.ptp(kept) <= 1e-9 * max(1.0, abs(mean)):
        raise ConstantSeriesError(
            f"series {series.id!r}: every observed month is {kept[0]:g}; a stuck sensor? leave the series out"
        )
    y = np.where(observed, (series.values - mean) / sd, 0.0)
    return Standardised(y, observed, mean, sd)
