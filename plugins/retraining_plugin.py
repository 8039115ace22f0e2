"""Registers this deployment's parts with Airflow; the parts live in `tracked_kedro`."""

from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from tracked_kedro import links, listener, preload
from tracked_kedro.names import PAGE_PREFIX
from tracked_kedro.pages import ForecastsPage

# Where Airflow is served under a path of its host, as `/airflow`.
_ROOT = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


class RetrainingPlugin(AirflowPlugin):
    """What Airflow loads from the plugins folder."""

    # ruff: noqa: RUF012  Airflow declares these as lists of the class

    name = "retraining"
    listeners = [listener, preload]
    global_operator_extra_links = links.LINKS
    fastapi_apps = [{"name": "Forecasts", "app": ForecastsPage(), "url_prefix": PAGE_PREFIX}]
    external_views = [
        {
            "name": "Forecasts",
            "href": f"{_ROOT}{PAGE_PREFIX}/",
            "url_route": "forecasts",
            "destination": "nav",
            "nav_top_level": True,
        },
        # Airflow 3.3 makes a button of a link at the top level, which leads nowhere; in its menu it stays a link.
        {"name": "MLflow", "href": f"{_ROOT}{PAGE_PREFIX}/mlflow", "destination": "nav", "category": "browse"},
    ]
