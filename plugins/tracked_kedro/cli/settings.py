"""Settings of a DAG run given as NAME=VALUE: read, checked before work starts, completed by a cutoff."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from kedro.framework.session import KedroSession
from kedro.io import DatasetError

from tracked_kedro.kedro_side.sessions import nested
from tracked_kedro.kedro_side.settled_cutoff import cause, cutoff_among, cutoff_part
from tracked_kedro.kedro_side.sources.opening import allow
from tracked_kedro.rendering.completion import dag_blocks


def dag_settings(project: Path, dag: str, texts: Sequence[str], variables: Sequence[str] = ()) -> dict[str, Any]:
    """The `conf` of a DAG run.

    Args:
        project: folder of the Kedro project.
        dag: id of the DAG.
        texts: parameters of the DAG run as NAME=VALUE.
        variables: names of environment variables that a person gave to make, see `from_make`.

    Raises:
        click.ClickException: naming the DAG, parameter or value that cannot be used, and what is allowed.
    """
    blocks = dag_blocks(project)
    if dag not in blocks:
        raise click.ClickException(f"There is no DAG {dag!r}; known are {', '.join(sorted(blocks))}")
    texts = [*from_make(dag, blocks[dag], variables, os.environ), *texts]
    conf = dict(_setting(text, blocks[dag]["params"]) for text in texts)
    # Whoever types a command on this machine may read what it names; whoever triggers a DAG may not.
    allow(value for name in _sources(blocks[dag]) if isinstance(value := conf.get(name), str) and value)
    runtime_params = {**kedro_parameters(blocks[dag], conf), "use_mlflow": False, "run_key": "cutoff"}
    # What goes wrong is said once, below.
    for name in ("kedro", "kedro.runner", "retraining"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with KedroSession.create(
            project_path=project,
            runtime_params=runtime_params,
            save_on_close=False,
        ) as session:
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
        raise click.ClickException(str(error)) from error
    except DatasetError as error:
        if (found := cause(error)) is error:
            raise
        raise click.ClickException(str(found)) from error
    return conf


def from_make(dag: str, block: Mapping[str, Any], given: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """What a person gave to make, as parameters of the DAG run (NAME=VALUE).

    The block's `make` maps a variable to the parameter that it sets, or to {parameter, path: true} where a relative
    path starts at the folder that make was called in.

    Args:
        dag: id of the DAG.
        block: its block of airflow.yml.
        given: names of the variables on make's command line; their values, and those of other variables that the block
            takes, stand in the environment.
        environment: of this process.

    Raises:
        click.ClickException: the DAG takes no such variable, or nothing is where a path leads.
    """
    takes = block.get("make") or {}
    if unknown := [name for name in given if name not in takes]:
        close = get_close_matches(unknown[0], takes, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        known = ", ".join(takes) or "no variable of its own"
        raise click.ClickException(f"{dag} takes no {unknown[0]}; it takes {known} (and DAG=, VAR=){hint}")
    found = []
    for name, target in takes.items():
        value = environment.get(name, "")
        if not value:
            continue
        parameter, is_path = (target, False) if isinstance(target, str) else (target["parameter"], target.get("path"))
        found.append(f"{parameter}={_existing(name, value) if is_path and '://' not in value else value}")
    return found


def kedro_parameters(block: dict[str, Any], conf: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a DAG run under their Kedro names, nested, as a Kedro session takes them."""
    targets = block["kedro_parameters"]
    return nested({targets[name]: conf[name] for name in conf.keys() & targets.keys()})


def _existing(name: str, value: str) -> Path:
    """A path that a variable of make names, absolute."""
    path = Path(value).resolve()
    # An expression is refused by the name of its parameter, with all other values.
    if "${" not in value and not path.exists():
        raise click.ClickException(f"{name}={value}: there is no such file or folder, seen from {Path.cwd()}")
    return path


def _sources(block: Mapping[str, Any]) -> list[str]:
    """DAG parameters that name files: the block's `make` marks their variables with `path`."""
    marked = [target for target in (block.get("make") or {}).values() if isinstance(target, Mapping)]
    return [target["parameter"] for target in marked if target.get("path")]


def _setting(text: str, specs: dict[str, Any]) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or name not in specs:
        raise click.ClickException(f"{text!r} is not NAME=VALUE with a NAME among {', '.join(specs)}")
    if "array" in (specs[name].get("type") or ()):
        return name, [part.strip() for part in value.split(",") if part.strip()]
    with contextlib.suppress(json.JSONDecodeError):
        return name, json.loads(value)
    return name, value
