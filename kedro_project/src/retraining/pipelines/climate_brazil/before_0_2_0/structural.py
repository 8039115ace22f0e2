"""`retraining.structural`, as far as a served model made before 0.2.0 asks for it."""

from __future__ import annotations

from retraining.pipelines.climate_brazil.structural import Fleet, load_posterior


class Posterior:
    """Read by `Posterior.load(path)`."""

    load = staticmethod(load_posterior)


__all__ = ["Fleet", "Posterior"]
