"""The registered model that a person named, or the names that there are."""

from __future__ import annotations

import re

import click
from mlflow.tracking import MlflowClient

from tracked_kedro.cli.printable import printable
from tracked_kedro.errors import did_you_mean
from tracked_kedro.kedro_side.locations import project_path
from tracked_kedro.names import REGISTERED_MODEL
from tracked_kedro.paging import paged
from tracked_kedro.rendering.completion import dag_blocks


def of_pipeline(name: str) -> str:
    """The registered model that a block of airflow.yml names.

        of_pipeline("taxi_fares")  # 'taxi-fares'

    Raises:
        click.ClickException: there is no such block, or it names no model.
    """
    blocks = dag_blocks(project_path())
    if name not in blocks:
        raise click.ClickException(
            f"airflow.yml has no block {name!r}{did_you_mean(name, blocks)}; or name the model with MODEL="
        )
    block = blocks[name]
    model = (block.get(REGISTERED_MODEL) or (block.get("track") or {}).get("model") or {}).get("name")
    if model is None:
        raise click.ClickException(f"The block {name} of airflow.yml names no registered model; name one with MODEL=")
    return str(model)


def check(reference: str) -> None:
    """Check that the model of a reference is registered; the tracking server is connected already.

    Args:
        reference: `rents`, `rents/7`, `rents@previous`.

    Raises:
        click.ClickException: it is not; the message lists the models that are.
    """
    model = re.split("[/@]", reference)[0]
    known = [one.name for one in paged(MlflowClient().search_registered_models, max_results=100)]
    if model in known:
        return
    if not known:
        raise click.ClickException(
            f"There is no registered model {model!r}, nor any other; a complete `make retrain` registers one"
        )
    listed = ", ".join(map(printable, known[:20])) + (" …" if len(known) > 20 else "")
    raise click.ClickException(
        f"There is no registered model {model!r}; known are {listed}{printable(did_you_mean(model, known))}"
    )
