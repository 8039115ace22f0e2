"""Kedro project settings: https://docs.kedro.org/en/stable/configure/configuration_basics/."""

from pathlib import Path

from tracked_kedro.kedro_side.config_loader import ConfigLoader
from tracked_kedro.kedro_side.discovery import resolvers
from tracked_kedro.kedro_side.library_warnings import hide_library_warnings
from tracked_kedro.promotion.catalog import promotion_entries

# Here, for Kedro reads this file before it imports what warns.
hide_library_warnings(Path(__file__).parents[2])

# This project is run on these rails: parameters are checked, runs are tracked (the hooks of the package tracked-kedro).
TRACKED_KEDRO = True

# The tracking hook is kedro-mlflow's own, extended; the original must not log a second time.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow", "kedro-telemetry")

CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "custom_resolvers": resolvers("retraining.pipelines"),
    "more_entries": promotion_entries,
}
