"""Addresses of MLflow's own pages, as a person's browser reaches them."""

from __future__ import annotations

import os
from urllib.parse import quote, urlencode

#: MLflow's address for people, where it is another than the tasks' (`http://mlflow:5000` inside a compose network).
ADDRESS_VARIABLE = "RETRAINING_MLFLOW_UI"
_KIND = {"workflowType": "machine_learning"}
REPORT = "report/report.html"


def address(tracking: str | None = None) -> str | None:
    """Address of MLflow's pages; None where only a database is known, which serves no pages.

    Args:
        tracking: address of the tracking server; without it that of MLFLOW_TRACKING_URI.
    """
    for value in (os.environ.get(ADDRESS_VARIABLE), tracking or os.environ.get("MLFLOW_TRACKING_URI")):
        if value and value.startswith(("http://", "https://")):
            return value.rstrip("/")
    return None


def experiments(base: str) -> str:
    """The list of experiments; MLflow would open with its pages on language models."""
    return f"{base}/#/experiments?{urlencode(_KIND)}"


def run(base: str, experiment_id: str, run_id: str) -> str:
    """Page of a run."""
    return f"{base}/#/experiments/{experiment_id}/runs/{run_id}?{urlencode(_KIND)}"


def report(base: str, experiment_id: str, run_id: str) -> str:
    """The report among a run's artifacts."""
    return f"{base}/#/experiments/{experiment_id}/runs/{run_id}/artifacts/{REPORT}?{urlencode(_KIND)}"


def search(base: str, experiment_id: str, query: str) -> str:
    """The experiment's runs that a query finds."""
    asked = {"searchFilter": query, "compareRunsMode": "TABLE", **_KIND}
    return f"{base}/#/experiments/{experiment_id}/runs?{urlencode(asked, quote_via=quote)}"


def version(base: str, name: str, number: str) -> str:
    """Page of a model version."""
    return f"{base}/#/models/{quote(name, safe='')}/versions/{number}"
