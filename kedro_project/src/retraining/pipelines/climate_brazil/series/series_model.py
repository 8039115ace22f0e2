"""The served model of one series. MLflow runs this file when it loads the model: code, not a pickle."""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext

DEFAULT_AHEAD, MAX_AHEAD = 12, 600
MAX_DRAWS = 10_000


class SeriesModel(PythonModel):
    """Forecasts the months after the series' newest observation from its stored posterior, in °C."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the posterior, with the code that the model brought along."""
        from retraining.pipelines.climate_brazil.structural import load_posterior

        self.posterior = load_posterior(context.artifacts["posterior.nc"])

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Forecast.

        Args:
            context: MLflow's; not used.
            model_input: one row with `n_ahead`, months (1 to 600); 12 without one.
            params: `output` ("quantiles" or "draws"), `quantiles` (each between 0 and 1), `draws` (how many), `seed`.

        Returns:
            Records `{date, mean, q10, …}` or `{date, draw, temperature}`; temperatures in °C.

        Raises:
            MlflowException: the input is not one row with a usable `n_ahead`, or a parameter is impossible. A server
                answers it with status 400.
        """
        options = {"output": "quantiles", "quantiles": [0.1, 0.5, 0.9], "draws": 100, "seed": 0, **(params or {})}
        # Without the column MLflow hands over no row, or as many as there were.
        asked = model_input.get("n_ahead", [DEFAULT_AHEAD])
        if len(asked) != 1:
            raise _refusal(f"One row with n_ahead is expected, got {len(asked)} rows")
        n_ahead = int(next(iter(asked)))
        if not 1 <= n_ahead <= MAX_AHEAD:
            raise _refusal(f"n_ahead is {n_ahead}; it must be between 1 and {MAX_AHEAD} months")
        forecast = self.posterior.forecast(n_ahead)
        dates = forecast.months.astype("datetime64[D]").astype(str)
        if options["output"] == "draws":
            count = int(options["draws"])
            if not 1 <= count <= MAX_DRAWS:
                raise _refusal(f"draws is {count}; it must be between 1 and {MAX_DRAWS}")
            return _draws(forecast.draws(count, seed=int(options["seed"])), dates)
        if options["output"] != "quantiles":
            raise _refusal(f"output is {options['output']!r}; it must be 'quantiles' or 'draws'")
        levels = sorted({float(level) for level in options["quantiles"]})
        if not levels or not all(0 < level < 1 for level in levels):
            raise _refusal(f"quantiles are {levels}; name at least one, each between 0 and 1")
        columns = {f"q{100 * level:g}": row for level, row in zip(levels, forecast.quantile(levels), strict=True)}
        return pd.DataFrame({"date": dates, "mean": forecast.mean, **columns})


def _refusal(message: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(message)


def _draws(paths: np.ndarray, dates: np.ndarray) -> pd.DataFrame:
    count, months = paths.shape
    return pd.DataFrame(
        {"date": np.tile(dates, count), "draw": np.repeat(np.arange(count), months), "temperature": paths.ravel()}
    )


mlflow.models.set_model(SeriesModel())
