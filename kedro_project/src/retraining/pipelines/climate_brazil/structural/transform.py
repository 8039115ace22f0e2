"""Whether a series is modelled as it is or by its logarithm.

Both models are of the same observations: the density of y under the model of log y is p(log y) / prod y, so that

    log p(log y) - sum log y   against   log p(y)

says which is more probable (Box & Cox 1964, section 3). Where neither is e^3 times as probable as the other (strong
evidence, Kass & Raftery 1995), a series that lies more than five standard deviations above zero is taken as it is (both
are the same model there), a series nearer to zero by its logarithm, whose forecasts stay above it. Each evidence is
Laplace's approximation over the three hyperparameters; the coefficients are integrated out exactly.
"""

from typing import Literal

import numpy as np

from .config import ModelConfig
from .likelihood import LOG_TWO_PI, Target
from .marginal import find_mode, hessian
from .series import Series

MARGIN, FAR = 3.0, 5.0


def settle_transform(series: Series, model: ModelConfig) -> ModelConfig:
    """The model with `auto` replaced by what the series makes more probable; log for positive series only.

    settle_transform(series, ModelConfig(transform="auto")).transform  # "log"
    """
    if model.transform != "auto":
        return model
    chosen: Literal["none", "log"] = "none"
    kept = series.values[series.observed]
    # What a fleet has given is in units of one of the two, so that a decision leaves it out.
    plain = {"pooled_slope_mean": None, "pooled_slope_sd": None, "seasonal_sd": None, "shape_prior": None}
    if kept.size and (kept > 0).all():
        as_it_is, log = (
            log_evidence(Target.of(series, model.model_copy(update=plain | {"transform": one})))
            for one in ("none", "log")
        )
        margin = MARGIN if kept.mean() > FAR * kept.std() else -MARGIN
        if log - float(np.log(kept).sum()) > as_it_is + margin:
            chosen = "log"
    return model.model_copy(update={"transform": chosen})


def log_evidence(target: Target) -> float:
    """log p(y), y in its unit (or its logarithm's): Laplace at the mode (Tierney & Kadane 1986)."""
    mode = find_mode(target)
    value, _ = target.value_and_gradient(mode)
    curvature = np.maximum(np.linalg.eigvalsh(-hessian(target, mode)), 0.1)
    scale = int(target.observed.sum()) * float(np.log(target.y_sd))
    return value - scale + 1.5 * LOG_TWO_PI - 0.5 * float(np.log(curvature).sum())
