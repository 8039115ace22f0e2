"""Kedro project settings: https://docs.kedro.org/en/stable/configure/configuration_basics/."""

from kedro.config import OmegaConfigLoader

from retraining.locations import RESOLVERS
from retraining.series_list import form_choices
from retraining.tracking.hooks import ParametersHook, TrackingHook

# Hooks run last registered first: parameters are checked before the tracking server is asked for anything.
HOOKS = (TrackingHook(), ParametersHook())

# TrackingHook is kedro-mlflow's own hook, extended; the original must not log a second time.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow", "kedro-telemetry")

# Called once by the process that forks tasks (`plugins/tracked_kedro/preload.py`).
WARM_UP = "retraining.warm_up.warm_up"

CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {
        "mlflow": ["mlflow*", "mlflow*/**", "**/mlflow*"],
        "airflow": ["airflow*", "airflow/**"],
    },
    "custom_resolvers": {**RESOLVERS, "form_choices": form_choices},
    "merge_strategy": {"parameters": "soft"},
}
