"""Settings of a DAG run given as NAME=VALUE: read, checked before work starts, completed by a cutoff."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import click
from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines, settings
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DatasetError
from omegaconf import OmegaConf


def dag_blocks(project: Path) -> dict[str, dict[str, Any]]:
    """Blocks of airflow.yml by DAG id, each joined with the defaults."""
    bootstrap_project(project)
    loader = OmegaConfigLoader(conf_source=str(project / settings.CONF_SOURCE), **settings.CONFIG_LOADER_ARGS)
    airflow = loader["airflow"]
    return {name: {**airflow["default"], **block} for name, block in airflow.items() if name != "default"}


def dag_settings(project: Path, dag: str, texts: Sequence[str]) -> dict[str, Any]:
    """The `conf` of a DAG run.

    Args:
        project: folder of the Kedro project.
        dag: id of the DAG.
        texts: parameters of the DAG run as NAME=VALUE.

    Raises:
        click.ClickException: naming the DAG, parameter or value that cannot be used, and what is allowed.
    """
    blocks = dag_blocks(project)
    if dag not in blocks:
        raise click.ClickException(f"There is no DAG {dag!r}; known are {', '.join(sorted(blocks))}")
    conf = dict(_setting(text, blocks[dag]["params"]) for text in texts)
    runtime_params = {**kedro_parameters(blocks[dag], conf), "use_mlflow": False, "run_key": "cutoff"}
    cutoff_pipeline = f"{dag}_cutoff"
    # What goes wrong is said once, below.
    for name in ("kedro", "kedro.runner", "retraining"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with KedroSession.create(
            project_path=project,
            runtime_params=runtime_params,
            save_on_close=False,
        ) as session:
            if cutoff_pipeline not in pipelines:
                session.load_context()  # type: ignore[attr-defined]  # checks the parameters
            else:
                outputs = session.run(pipeline_names=[cutoff_pipeline])  # type: ignore[call-arg]
                [cutoff] = [dataset.load() for name, dataset in outputs.items() if name.endswith("_cutoff")]
                if "cutoff" not in conf:
                    click.echo(
                        f"Cutoff {cutoff}: the month after the newest observation (CUTOFF=YYYY-MM-01 sets another)"
                    )
                conf["cutoff"] = cutoff
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    except DatasetError as error:
        # What a dataset finds wrong with its input comes wrapped, by the dataset and by the catalog.
        cause: BaseException | None = error
        while isinstance(cause, DatasetError):
            cause = cause.__cause__
        if not isinstance(cause, ValueError):
            raise
        raise click.ClickException(str(cause)) from error
    return conf


def kedro_parameters(block: dict[str, Any], conf: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a DAG run under their Kedro names, nested, as a Kedro session takes them."""
    parameters = OmegaConf.create({})
    for name in conf.keys() & block["kedro_parameters"].keys():
        OmegaConf.update(parameters, block["kedro_parameters"][name], conf[name])
    return cast("dict[str, Any]", OmegaConf.to_container(parameters))


def _setting(text: str, specs: dict[str, Any]) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or name not in specs:
        raise click.ClickException(f"{text!r} is not NAME=VALUE with a NAME among {', '.join(specs)}")
    if specs[name]["type"] == "array":
        return name, [part.strip() for part in value.split(",") if part.strip()]
    with contextlib.suppress(json.JSONDecodeError):
        return name, json.loads(value)
    return name, value
