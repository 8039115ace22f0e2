"""Which experiment a Kedro session logs to: that of the pipeline which it runs, or runs a part of."""

from __future__ import annotations

import click
from kedro.framework.context import KedroContext
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from tracked_kedro.kedro_side import discovery
from tracked_kedro.kedro_side.project_config import config_loader
from tracked_kedro.kedro_side.running_project import pipelines_package
from tracked_kedro.names import PIPELINE


def pipelines_of_command() -> list[str]:
    """Pipelines that `kedro run` was asked for; none outside that command."""
    command = click.get_current_context(silent=True)
    asked = command.params.get("pipelines") if command else None
    return asked.split(",") if isinstance(asked, str) else list(asked or [])


def name_experiment(context: KedroContext, names: list[str]) -> bool:
    """Let `mlflow.yml` speak of the pipeline that the first of `names` is, or is a part of; whether that is another
    experiment than before.
    """
    loader = context.config_loader
    given = (loader.runtime_params or {}).get(PIPELINE)
    asked = [name.split(discovery.SEPARATOR)[0] for name in names if name != "__default__"]
    pipeline = next((name for name in asked if name in loader["airflow"] and name != "default"), None)
    pipeline = pipeline or given or discovery.default_pipeline(pipelines_package())
    if pipeline is None:
        return False
    reader = loader
    if pipeline != given:
        reader = config_loader(
            context.project_path,
            {**(loader.runtime_params or {}), PIPELINE: pipeline},
            environment=loader.env,
            conf_source=str(loader.conf_source),
        )
    named = reader["mlflow"]
    experiment = named["tracking"]["experiment"]
    if note := (loader["airflow"].get(pipeline) or {}).get("description"):
        options = experiment.setdefault("create_experiment_kwargs", {})
        options["tags"] = {MLFLOW_RUN_NOTE: f"{note}. One parent run per retraining.", **(options.get("tags") or {})}
    changed = experiment["name"] != loader["mlflow"]["tracking"]["experiment"]["name"]
    loader["mlflow"] = named
    return bool(changed)
