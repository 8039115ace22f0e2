"""The registered model of climate_brazil: forecasts of the whole fleet of stations.

MLflow runs this file when it loads the model: code, not a pickle.
"""

from __future__ import annotations

from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from pydantic import BaseModel, Field

#: What has to be installed where the model answers.
REQUIREMENTS = ("mlflow", "numpy", "numba", "pandas", "scipy", "h5netcdf", "pydantic")
PARAMS = ParamSchema([ParamSpec("quantiles", DataType.double, [0.1, 0.5, 0.9], shape=(-1,))])
_TEXT, _NUMBERS = ("series", "date"), ("mean", "q10", "q50", "q90")
OUTPUTS = Schema(
    [*(ColSpec(DataType.string, name) for name in _TEXT), *(ColSpec(DataType.double, name) for name in _NUMBERS)]
)
POSTERIORS = "posteriors.npz"


class ForecastRequest(BaseModel):
    """One record of the input: a station by id (all of them where it is left out) and how many months (1 to 600)."""

    series: str | None = None
    n_ahead: int = Field(12, ge=1, le=600)


class FleetModel(PythonModel):
    """Forecasts the months after each series' newest observation from its stored posterior, in °C."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the posteriors, with the code that the model brought along."""
        from retraining.pipelines.climate_brazil.structural import Fleet

        self.fleet = Fleet(context.artifacts[POSTERIORS])

    def rows(self, record: Any) -> int:
        """How many rows a record of a request is answered with, for the server's limit."""
        request = ForecastRequest.model_validate(record)
        return request.n_ahead * (len(self.fleet.ids) if request.series is None else 1)

    # MLflow takes the input's schema from the type hint, and calls a `predict` without a context as well.
    def predict(  # type: ignore[override]
        self, model_input: list[ForecastRequest], params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Forecast.

        Args:
            model_input: which series, how far.
            params: `quantiles`, each between 0 and 1.

        Returns:
            Records {series, date, mean, q10, q50, q90}, one a series and month, temperatures in °C.

        Raises:
            MlflowException: an unknown series or an impossible quantile. A server answers it with status 400.
        """
        levels = sorted({float(level) for level in (params or {}).get("quantiles", [0.1, 0.5, 0.9])})
        if not levels or not all(0 < level < 1 for level in levels):
            raise _refusal(f"quantiles are {levels}; name at least one, each between 0 and 1")
        frames = []
        for request in model_input:
            for series in self._chosen(request.series):
                forecast = self.fleet.posterior(series).forecast(request.n_ahead)
                rows = forecast.quantile(levels)
                quantiles = {f"q{100 * level:g}": row for level, row in zip(levels, rows, strict=True)}
                dates = forecast.months.astype("datetime64[D]").astype(str)
                frames.append(pd.DataFrame({"series": series, "date": dates, "mean": forecast.mean, **quantiles}))
        return pd.concat(frames, ignore_index=True)

    def _chosen(self, series: str | None) -> list[str]:
        known = self.fleet.ids
        if series is None:
            return known
        if series not in known:
            shown = ", ".join(known[:20]) + (" …" if len(known) > 20 else "")
            raise _refusal(f"unknown series {series!r}; this version has {shown}")
        return [series]


def _refusal(message: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(message)


mlflow.models.set_model(FleetModel())
