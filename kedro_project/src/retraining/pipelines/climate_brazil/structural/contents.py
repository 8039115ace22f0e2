"""What a stored posterior consists of, whichever library writes it: arrays by group, and one line of JSON.

`unconstrained_posterior` log_theta, weight   the weighted sample itself, float32
`recent_unconstrained_posterior`              the same of the newest years alone, where a forecast averages two windows
`observed_data`           temperature         the training months, degC, float64, NaN = missing
`posterior_predictive`    mean, sd, low, high in-sample summary (80 % highest-density interval), degC, float32

Of a series that borrows its group's climatology there are no points; the line has that climatology.

Data and theta determine everything else. Exact conditional Gaussians of 1,000 points would be 600 kB, resampled
draws of all variables 60 kB; this is about 40 kB and loses nothing.
"""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .borrowed import BorrowedPosterior, borrow
from .config import ModelConfig
from .errors import PosteriorFileError
from .grouping import GroupClimate
from .marginal import Start
from .posterior import Posterior
from .priors import HYPERPARAMETERS
from .proposal import Proposal
from .series import Series

FORMAT = 1
ATTRIBUTE = "retraining_posterior"
POINTS, DATA, SUMMARY = "unconstrained_posterior", "observed_data", "posterior_predictive"
RECENT_POINTS = f"recent_{POINTS}"

Arrays = dict[str, tuple[tuple[str, ...], NDArray[Any]]]


def to_contents(posterior: Posterior) -> tuple[dict[str, Arrays], str]:
    """Groups of (dimensions, array), and the attribute."""
    groups: dict[str, Arrays] = {POINTS: _points(posterior)}
    if posterior.recent is not None:
        groups[RECENT_POINTS] = _points(posterior.recent)
    groups |= {
        DATA: {"temperature": (("month",), posterior.series.values)},
        SUMMARY: {name: (("month",), values) for name, values in posterior.summary.items()},
    }
    return groups, attribute_of(posterior)


def _points(posterior: Posterior) -> Arrays:
    return {
        "log_theta": (("point", "hyperparameter"), posterior.log_theta),
        "weight": (("point",), posterior.raw_weight),
    }


def attribute_of(posterior: Posterior) -> str:
    """What of a posterior is no array, as one line of JSON."""
    attribute = _plain(posterior)
    if posterior.recent is not None:
        attribute["recent"] = _plain(posterior.recent) | {"months": len(posterior.recent.series)}
    return json.dumps(attribute)


def has_recent(attribute: str) -> bool:
    """Whether the posterior has a second window, whose points are stored too."""
    return "recent" in json.loads(attribute)


def _plain(posterior: Posterior) -> dict[str, Any]:
    start = posterior.start
    climate = posterior.climate if isinstance(posterior, BorrowedPosterior) else None
    return {
        "format": FORMAT,
        "series_id": posterior.series_id,
        "first_month": str(posterior.first_month),
        "step": posterior.series.step,
        "hyperparameters": list(HYPERPARAMETERS),
        "model": posterior.model.model_dump(),
        "method_used": posterior.method_used,
        "diagnostics": posterior.diagnostics,
        "seed": posterior.seed,
        "draws": posterior.draws,
        "chains": posterior.chains,
        "start": start
        and {
            "mode": start.mode.tolist(),
            "location": start.proposal.location.tolist(),
            "scale": start.proposal.scale.tolist(),
        },
        **({} if climate is None else {"climate": climate.model_dump()}),
    }


def from_contents(
    log_theta: NDArray[Any],
    weight: NDArray[Any],
    values: NDArray[Any],
    attribute: str,
    recent: tuple[NDArray[Any], NDArray[Any]] | None = None,
) -> Posterior:
    """The posterior again; the in-sample summary is for readers without this package and is not read back.

    Args:
        log_theta: of the points, (S, 3).
        weight: of the points, (S,).
        values: the training months.
        attribute: what is no array.
        recent: log_theta and weight of the second window, where the attribute says that there is one.
    """
    kept = json.loads(attribute)
    if kept.get("format") != FORMAT:
        raise PosteriorFileError(f"posterior format {kept.get('format')} is not {FORMAT}: fit the series again")
    first, step = np.datetime64(kept["first_month"], "M"), int(kept.get("step", 1))
    series = Series(kept["series_id"], first, np.asarray(values, dtype=np.float64), step)
    second = None
    if recent is not None:
        second = _again(kept["recent"], series.newest(int(kept["recent"]["months"])), *recent)
    return _again(kept, series, log_theta, weight, second)


def _again(
    kept: dict[str, Any],
    series: Series,
    log_theta: NDArray[Any],
    weight: NDArray[Any],
    recent: Posterior | None = None,
) -> Posterior:
    start = kept["start"]
    if "climate" in kept:
        return borrow(series, GroupClimate(**kept["climate"]), ModelConfig(**kept["model"]))
    return Posterior(
        series,
        ModelConfig(**kept["model"]),
        np.asarray(log_theta, dtype=np.float32),
        np.asarray(weight, dtype=np.float32),
        kept["method_used"],
        dict(kept["diagnostics"]),
        Start(np.array(start["mode"]), Proposal(np.array(start["location"]), np.array(start["scale"]))),
        int(kept["seed"]),
        draws=int(kept["draws"]),
        chains=int(kept["chains"]),
        recent=recent,
    )
