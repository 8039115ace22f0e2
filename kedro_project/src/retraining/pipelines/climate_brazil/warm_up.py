"""What the libraries of this pipeline do at their first use only, done ahead of the tasks."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from retraining.pipelines.climate_brazil.figures.png import figure_png
from retraining.pipelines.climate_brazil.series.saving import save_series_model
from retraining.pipelines.climate_brazil.structural import InferenceConfig, ModelConfig, Series, fit


def warm_up() -> None:
    """Fit, save and draw something small.

    SciPy and Numba load half of themselves at the first fit, MLflow looks through all installed packages for the first
    model, Matplotlib searches its fonts for the first letter: two CPU-seconds of a task that inherits none of it.
    Nothing here may start a thread, which a fork would lose while its locks stay; Polars does at its first query.
    """
    months = np.arange(36)
    values = 25 + 3 * np.sin(2 * np.pi * months / 12) + 0.3 * np.sin(7.0 * months)
    fit(Series("warm-up", np.datetime64("2000-01"), values), ModelConfig(), InferenceConfig()).forecast(1)
    with tempfile.TemporaryDirectory(prefix="warm_up_") as folder:
        save_series_model(b"", Path(folder) / "model")
    figure = Figure()
    figure.subplots().plot(months, values)
    figure_png(figure)
