"""Registers this deployment's parts with Airflow; the parts live in `tracked_kedro`."""

from airflow.plugins_manager import AirflowPlugin


class RetrainingPlugin(AirflowPlugin):
    """What Airflow loads from the plugins folder."""

    name = "retraining"
