"""What a stored posterior consists of, whichever library writes it: arrays by group, and one line of JSON.

`unconstrained_posterior` log_theta, weight   the weighted sample itself, float32
`observed_data`           temperature         the training months, degC, float64, NaN = missing
`posterior_predictive`    mean, sd, low, high in-sample summary (80 % highest-density interval), degC, float32

Data and theta determine everything else. Exact conditional Gaussians of 1,000 points would be 600 kB, resampled
draws of all variables 60 kB; this is about 40 kB and loses nothing.
"""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config import ModelConfig
from .errors import PosteriorFileError
from .marginal import Start
from .posterior import Posterior
from .priors import HYPERPARAMETERS
from .proposal import Proposal
from .series import Series

FORMAT = 1
ATTRIBUTE = "retraining_posterior"
POINTS, DATA, SUMMARY = "unconstrained_posterior", "observed_data", "posterior_predictive"

Arrays = dict[str, tuple[tuple[str, ...], NDArray[Any]]]


def to_contents(posterior: Posterior) -> tuple[dict[str, Arrays], str]:
    """Groups of (dimensions, array), and the attribute."""
    groups: dict[str, Arrays] = {
        POINTS: {
            "log_theta": (("point", "hyperparameter"), posterior.log_theta),
            "weight": (("point",), posterior.raw_weight),
        },
        DATA: {"temperature": (("month",), posterior.series.values)},
        SUMMARY: {name: (("month",), values) for name, values in posterior.summary.items()},
    }
    return groups, attribute_of(posterior)


def attribute_of(posterior: Posterior) -> str:
    """What of a posterior is no array, as one line of JSON."""
    start = posterior.start
    attribute = {
        "format": FORMAT,
        "series_id": posterior.series_id,
        "first_month": str(posterior.first_month),
        "hyperparameters": list(HYPERPARAMETERS),
        "model": posterior.model.model_dump(),
        "method_used": posterior.method_used,
        "diagnostics": posterior.diagnostics,
        "seed": posterior.seed,
        "draws": posterior.draws,
        "chains": posterior.chains,
        "start": {
            "mode": start.mode.tolist(),
            "location": start.proposal.location.tolist(),
            "scale": start.proposal.scale.tolist(),
        },
    }
    return json.dumps(attribute)


def from_contents(log_theta: NDArray[Any], weight: NDArray[Any], values: NDArray[Any], attribute: str) -> Posterior:
    """The posterior again; the in-sample summary is for readers without this package and is not read back."""
    kept = json.loads(attribute)
    if kept.get("format") != FORMAT:
        raise PosteriorFileError(f"posterior format {kept.get('format')} is not {FORMAT}: fit the series again")
    start = kept["start"]
    return Posterior(
        Series(kept["series_id"], np.datetime64(kept["first_month"], "M"), np.asarray(values, dtype=np.float64)),
        ModelConfig(**kept["model"]),
        np.asarray(log_theta, dtype=np.float32),
        np.asarray(weight, dtype=np.float32),
        kept["method_used"],
        dict(kept["diagnostics"]),
        Start(np.array(start["mode"]), Proposal(np.array(start["location"]), np.array(start["scale"]))),
        int(kept["seed"]),
        draws=int(kept["draws"]),
        chains=int(kept["chains"]),
    )
