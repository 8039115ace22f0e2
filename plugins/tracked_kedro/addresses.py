"""Addresses of the plugin's own pages, as a browser that shows Airflow reaches them."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from airflow.sdk import conf

from tracked_kedro.names import TO_MLFLOW

_ADDRESSES = (("api", "base_url"), ("core", "execution_api_server_url"))


def airflow_root() -> str:
    """Path under which Airflow is served, such as `/airflow`; "" at the root of its host."""
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


def airflow_addresses() -> tuple[str, ...]:
    """Where people, and tasks, find Airflow's API server, as far as its configuration says so."""
    found = (conf.get(section, key, fallback="") for section, key in _ADDRESSES)
    return tuple(address for address in found if address)


def to_mlflow(path: str) -> str:
    """Path on Airflow's host of a page that leads to MLflow, such as `run/<id>`."""
    return f"{airflow_root()}{TO_MLFLOW}/{path}"


def picture(run_id: str, path: str) -> str:
    """Path on Airflow's host of a picture among a run's artifacts."""
    return to_mlflow(f"picture/{run_id}/{quote(path)}")
