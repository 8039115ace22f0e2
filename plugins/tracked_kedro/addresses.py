"""Addresses of the plugin's own pages, as a browser that shows Airflow reaches them."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from airflow.sdk import conf

from tracked_kedro.names import PAGE_PREFIX


def to_mlflow(path: str) -> str:
    """Path on Airflow's host of a page that leads to MLflow, such as `run/<id>`."""
    root = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
    return f"{root}{PAGE_PREFIX}/mlflow/{path}"


def picture(run_id: str, path: str) -> str:
    """Path on Airflow's host of a picture among a run's artifacts."""
    return to_mlflow(f"picture/{run_id}/{quote(path)}")
