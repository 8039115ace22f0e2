"""Node `audit`: a few series a month are sampled with NUTS, and the fast posterior is held against the draws."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from retraining.pipelines.climate_brazil.series.isolation import SeriesFailedError, each, failures, reasons
from retraining.pipelines.climate_brazil.series.scores import DECIMALS
from retraining.pipelines.climate_brazil.structural import BorrowedPosterior, Posterior, audit

log = logging.getLogger(__name__)

# Of this month's audited series, the largest |z|: beyond it the two posteriors differ by more than chance would.
SUSPICIOUS_Z = 4.0


def audited_series(series_ids: Sequence[str], count: int, cutoff: str) -> list[str]:
    """The series whose turn it is: `count` of them, moving on with every month, so that all come round."""
    month = date.fromisoformat(cutoff)
    first = (12 * month.year + month.month) * count % max(len(series_ids), 1)
    return [series_ids[(first + step) % len(series_ids)] for step in range(min(count, len(series_ids)))]


def audit_posteriors(
    posteriors: Mapping[str, Callable[[], Posterior]],
    series_ids: Sequence[str],
    months: Mapping[str, Any],
    audit_series: int,
    seed: int,
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Audit the fast posteriors of a few series with NUTS on the PyMC model, rotating by month.

    Returns:
        z-scores and shifts by series, and the metrics `max_abs_z` and `max_forecast_shift` (in predictive standard
        deviations) for MLflow; both empty when nothing was audited.
    """

    def audit_one(load: Callable[[], Posterior]) -> dict[str, float]:
        posterior = load()
        if isinstance(posterior, BorrowedPosterior):
            log.info("%s is not audited: it is too short for a posterior", posterior.series_id)
            return {}
        log.info("audit of %s with NUTS: takes minutes", posterior.series.id)
        return audit(posterior.series, posterior, seed=seed)

    asked = audited_series(series_ids, audit_series, months["cutoff"])
    for series in set(asked) - posteriors.keys():
        log.warning("%s is not audited: it has no posterior in this run", series)
    outcome = each("audit", audit_one, {series: posteriors[series] for series in asked if series in posteriors})
    failed = failures(outcome)
    found = {series: scores for series, scores in outcome.items() if series not in failed and scores}
    if failed and not found:
        raise SeriesFailedError(f"no series could be audited: {reasons(failed)}")
    if not found:
        return {}, {}
    z = max(abs(value) for scores in found.values() for name, value in scores.items() if name.startswith("z_"))
    shift = max(abs(scores["shift_forecast"]) for scores in found.values())
    log.log(
        logging.WARNING if z > SUSPICIOUS_Z else logging.INFO,
        "audit of %s: largest |z| %.2f, forecast shifted by %.3f predictive sd",
        ", ".join(found),
        z,
        shift,
    )
    metrics = {"max_abs_z": z, "max_forecast_shift": shift, "n_series": len(found)}
    return found, {name: {"value": round(float(value), DECIMALS), "step": 0} for name, value in metrics.items()}
