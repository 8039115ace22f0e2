"""Settings of a DAG run: checked in two steps, the quick one first, and completed by a cutoff."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tracked_kedro.cli.given import Given, read, sources
from tracked_kedro.hosting.project import is_hosted
from tracked_kedro.rendering.completion import dag_blocks


@dataclass(frozen=True)
class Checked:
    """What a person gave, as far as the DAG's block can judge it, and that block."""

    given: Given
    block: dict[str, Any]


def checked_settings(project: Path, dag: str, texts: Sequence[str], variables: Sequence[str] = ()) -> Checked:
    """Check names and values against `airflow.yml`, without a look at the input.

    Args:
        project: folder of the Kedro project.
        dag: id of the DAG.
        texts: parameters of the DAG run as NAME=VALUE.
        variables: names of environment variables that a person gave to make, see `given.from_make`.

    Raises:
        click.ClickException: naming the DAG, parameter or value that cannot be used, and what is allowed.
    """
    blocks = dag_blocks(project)
    if dag not in blocks:
        raise click.ClickException(f"There is no DAG {dag!r}; known are {', '.join(sorted(blocks))}")
    checked = Checked(read(dag, blocks[dag], texts, variables, os.environ), blocks[dag])
    _allow_sources(checked)
    return checked


def _allow_sources(checked: Checked) -> None:
    """Whoever types a command on this machine may read what it names; whoever triggers a DAG may not.

    By the environment: it holds for processes that are started from now on, Airflow's too.
    """
    values = [checked.given.conf.get(name) for name in sources(checked.block)]
    named = [value for value in values if isinstance(value, str) and value]
    if named:
        from tracked_kedro.kedro_side.sources.opening import allow

        allow(named)


def settled(project: Path, dag: str, checked: Checked) -> dict[str, Any]:
    """The `conf` of a DAG run: Kedro's parameters are checked, and a cutoff is found where none was given.

    Args:
        project: folder of the Kedro project.
        dag: id of the DAG.
        checked: see `checked_settings`.

    Raises:
        click.ClickException: naming the parameter, file or line that cannot be used.
    """
    # Kedro and the pipelines' libraries are not needed to say that a name is misspelt.
    from kedro.framework.session import KedroSession
    from kedro.io import DatasetError

    from tracked_kedro.kedro_side.settled_cutoff import cause, cutoff_among, cutoff_part

    block, conf = checked.block, dict(checked.given.conf)
    if is_hosted(block):
        return conf  # its project checks the values itself, in a process of its own
    runtime_params = {**kedro_parameters(block, conf), "use_mlflow": False, "run_key": "cutoff"}
    # What goes wrong is said once, below.
    for name in ("kedro", "kedro.runner", "retraining"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with KedroSession.create(project_path=project, runtime_params=runtime_params, save_on_close=False) as session:
            part = cutoff_part(dag)
            if part is None:
                session.load_context()  # type: ignore[attr-defined]  # checks the parameters
            else:
                cutoff = cutoff_among(session.run(pipeline_names=[part]))  # type: ignore[call-arg]
                if "cutoff" not in conf:
                    click.echo(
                        f"Cutoff {cutoff}: the month after the newest observation (CUTOFF=YYYY-MM-01 sets another)"
                    )
                conf["cutoff"] = cutoff
    except ValueError as error:
        raise click.ClickException(checked.given.complaint(str(error))) from error
    except DatasetError as error:
        if (found := cause(error)) is error:
            raise
        raise click.ClickException(checked.given.complaint(str(found))) from error
    return conf


def dag_settings(project: Path, dag: str, texts: Sequence[str], variables: Sequence[str] = ()) -> dict[str, Any]:
    """Both steps at once: the `conf` of a DAG run.

    Raises:
        click.ClickException: naming what cannot be used, and what is allowed.
    """
    return settled(project, dag, checked_settings(project, dag, texts, variables))


def kedro_parameters(block: dict[str, Any], conf: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a DAG run under their Kedro names, nested, as a Kedro session takes them."""
    from tracked_kedro.kedro_side.sessions import nested

    targets = block["kedro_parameters"]
    return nested({targets[name]: conf[name] for name in conf.keys() & targets.keys()})
