"""Scores of a series as the pipeline hands them to the report, made up."""

from datetime import date
from typing import Any


def score(label: str = "Belém", **changes: Any) -> dict[str, Any]:
    return {
        "series": label.lower(),
        "label": label,
        "status": "finished",
        "reason": None,
        "n_months": 500,
        "first_month": "1961-01-01",
        "last_month": date(2018, 10, 1),
        "rmse": 0.6,
        "mae": 0.5,
        "crps": 0.4,
        "coverage_80": 0.75,
        "coverage_95": 1.0,
        "skill_vs_seasonal_naive": 0.2,
        "n_scored": 12,
        "rmse_seasonal_naive": 0.9,
        "crps_seasonal_naive": 0.5,
        "rmse_climatology": 1.0,
        "crps_climatology": 0.6,
        "rmse_climatology_trend": 0.59,
        "crps_climatology_trend": 0.38,
        "method_used": "marginal",
        "k_hat": 0.21,
        "ess": 876.4,
        "seconds": 0.5,
    } | changes


def failed(label: str = "Rio de Janeiro", reason: str = "ValueError: no <b>variance</b>") -> dict[str, Any]:
    return {"series": label.lower(), "label": label, "status": "failed", "reason": reason}
