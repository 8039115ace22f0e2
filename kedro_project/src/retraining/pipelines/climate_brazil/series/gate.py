"""Whether the inference of a series can be trusted: for promotion, and for the mark that the report sets.

The limits of k-hat and ESS are those of the inference itself (`InferenceConfig`); that of R-hat is of Vehtari et al.
(2021), 1.01.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from retraining.pipelines.climate_brazil.series.scores import known_score
from retraining.pipelines.climate_brazil.structural import InferenceConfig

MAX_R_HAT, MAX_DIVERGENCES = 1.01, 0


def passes_gate(row: Mapping[str, Any], inference: InferenceConfig) -> bool:
    """Whether a series' inference can be trusted, by the gates of the methods that were used, in both windows."""
    if row["status"] != "finished":
        return False
    recent = {name.removeprefix("recent_"): value for name, value in row.items() if name.startswith("recent_")}
    return _window_passes(row, inference) and (recent.get("method_used") is None or _window_passes(recent, inference))


def _window_passes(row: Mapping[str, Any], inference: InferenceConfig) -> bool:
    known = {name: value for name, value in row.items() if value is not None}
    enough = known.get("ess", 0.0) >= inference.min_ess
    if row["method_used"] == "marginal":
        return enough and known.get("k_hat", np.inf) <= inference.max_k_hat
    if row["method_used"] == "nuts":
        return enough and known.get("r_hat", np.inf) <= MAX_R_HAT and known.get("divergences", 0) <= MAX_DIVERGENCES
    # A grid that does not hold the posterior is not used at all.
    return True


def deserves_a_look(row: Mapping[str, Any], inference: InferenceConfig) -> bool:
    """Whether any diagnostic of a series is beyond its limit, whichever method and window it belongs to."""
    recent = {name.removeprefix("recent_"): value for name, value in row.items() if name.startswith("recent_")}
    return _stands_out(row, inference) or _stands_out(recent, inference)


def _stands_out(row: Mapping[str, Any], inference: InferenceConfig) -> bool:
    k_hat, ess, r_hat, divergences = (known_score(row, name) for name in ("k_hat", "ess", "r_hat", "divergences"))
    return (
        (k_hat or 0) > inference.max_k_hat
        or (r_hat or 0) > MAX_R_HAT
        or (divergences or 0) > MAX_DIVERGENCES
        or (ess is not None and ess < inference.min_ess)
    )


def limits(inference: InferenceConfig) -> str:
    """When a series deserves a look, in words."""
    return (
        f"(!) k-hat over {inference.max_k_hat:g}, ESS below {inference.min_ess:g}, R-hat over {MAX_R_HAT} "
        "or divergences: look at it"
    )
