"""Registers this deployment's parts with Airflow; the parts live in `tracked_kedro`."""

from airflow.plugins_manager import AirflowPlugin

from tracked_kedro import listener, preload


class RetrainingPlugin(AirflowPlugin):
    """What Airflow loads from the plugins folder."""

    name = "retraining"
    listeners = [listener, preload]  # noqa: RUF012  declared so by Airflow
