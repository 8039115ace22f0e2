"""The fast posterior against NUTS on the same series."""

import numpy as np

from .config import InferenceConfig, ModelConfig
from .posterior import Posterior
from .series import Series


def audit(
    series: Series,
    posterior: Posterior,
    model: ModelConfig | None = None,
    inference: InferenceConfig | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """z-scores between the NUTS and the fast posterior."""
    raise NotImplementedError
