"""What Airflow registers of this library: listeners, buttons, pages."""

from airflow.plugins_manager import AirflowPlugin

from tracked_kedro import lost_tries
from tracked_kedro.addresses import airflow_addresses
from tracked_kedro.hosts import known_by_name
from tracked_kedro.kedro_side import preload
from tracked_kedro.names import TO_MLFLOW
from tracked_kedro.parent_run import listener
from tracked_kedro.web import links
from tracked_kedro.web.mounted import Page

_TOP = {"destination": "nav", "nav_top_level": True}
# Airflow 3.3 makes a button of a link at the top level, which leads nowhere; in its menu it stays a link.
_MENU = {"destination": "nav", "category": "browse"}
#: A page is taken away with its line here, and its folder.
PAGES = (
    Page("MLflow", TO_MLFLOW, "tracked_kedro.web.to_mlflow", _MENU),
    Page("Forecasts", "/forecasts", "tracked_kedro.web.forecasts.app", _TOP | {"url_route": "forecasts"}, "icon.svg"),
)


class TrackedKedroPlugin(AirflowPlugin):
    """Found by the entry point of the installed package, or through `plugins/retraining_plugin.py` without one."""

    # ruff: noqa: RUF012  Airflow declares these as lists of the class

    name = "tracked_kedro"
    listeners = [listener, lost_tries, preload]
    global_operator_extra_links = links.LINKS
    fastapi_apps = [page.app() for page in PAGES]
    # Around the whole API server: its own paths, those of the task SDK, and ours.
    fastapi_root_middlewares = [
        {"name": "Allowed hosts", "middleware": known_by_name, "kwargs": {"addresses": airflow_addresses()}}
    ]
    external_views = [page.view() for page in PAGES]
