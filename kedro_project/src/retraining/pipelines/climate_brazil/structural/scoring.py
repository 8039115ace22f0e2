"""How good a forecast was, once the months are known."""

import numpy as np
from numpy.typing import ArrayLike

from .forecast import Forecast


def score(forecast: Forecast, actual: ArrayLike) -> dict[str, float]:
    """rmse, mae, crps in degC and the share of months inside the 80 and 95 % highest-density intervals.

    Months without an actual value are skipped; without any, every score is NaN and `months` is 0.
    """
    y = np.asarray(actual, dtype=float)
    crps = forecast.crps(y)
    known = ~np.isnan(y)
    if not known.any():
        return {name: float("nan") for name in ("rmse", "mae", "crps", "coverage_80", "coverage_95")} | {"months": 0.0}
    error = (y - forecast.mean)[known]
    out = {
        "rmse": float(np.sqrt((error**2).mean())),
        "mae": float(np.abs(error).mean()),
        "crps": float(crps[known].mean()),
    }
    for mass in (0.80, 0.95):
        low, high = forecast.interval(mass)
        inside = ((y >= low) & (y <= high))[known]
        out[f"coverage_{round(100 * mass)}"] = float(inside.mean())
    return out | {"months": float(known.sum())}


def skill(value: float, reference: float) -> float:
    """1 - value / reference for a score whose best value is 0: 1 is perfect, 0 no better than the reference."""
    return 1.0 - value / reference if reference > 0 else float("nan")
