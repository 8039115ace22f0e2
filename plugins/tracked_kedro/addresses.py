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


def run_in_mlflow(run_id: str) -> str:
    """Address that leads to a run; only its path where Airflow's own address is not known, as in `make retrain`."""
    base = conf.get("api", "base_url", fallback="") or ""
    return f"{base.rstrip('/')}{TO_MLFLOW}/run/{run_id}"


def newest_in_mlflow(dag: str, page: str = "") -> str:
    """Path on Airflow's host that leads to the newest run of a DAG in MLflow, or to its `report` or `version`."""
    return to_mlflow(f"dag/{quote(dag, safe='')}" + (f"/{page}" if page else ""))


def picture(run_id: str, path: str) -> str:
    """Path on Airflow's host of a picture among a run's artifacts."""
    return to_mlflow(f"picture/{run_id}/{quote(path)}")
