"""`make reproduce RUN=<parent run id>`: a past run again, beside the present, and whether the same comes out."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

import click
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from tracked_kedro.cli.commits import CannotReproduceError, Commit
from tracked_kedro.cli.differences import differences
from tracked_kedro.cli.hosted_reproduction import EXPERIMENT, HostedRecipe, is_hosted_run
from tracked_kedro.cli.printable import printable
from tracked_kedro.cli.reproduction import Recipe
from tracked_kedro.kedro_side import tracking_server
from tracked_kedro.kedro_side.locations import var_folder
from tracked_kedro.kedro_side.raw_inputs import RawInputError


def compare(run_id: str, force: bool, branch: str = "HEAD") -> int:
    """Run a past run again in a temporary folder and tell the first difference.

    Args:
        run_id: a finished parent run of the tracking store.
        force: also where its code had changes that no commit holds.
        branch: whose ancestors may be run; what is checked out, by default.

    Returns:
        Exit code: 0 where everything is equal, 1 at a difference.

    Raises:
        click.ClickException: the run is unknown or cannot be run again.
    """
    if not re.fullmatch(r"[0-9a-f]{32}", run_id):
        raise click.ClickException(f"{printable(run_id)!r} is no run id: 32 hexadecimal digits, as MLflow's page shows")
    log = var_folder() / "logs" / f"reproduce-{run_id}.log"
    tracking_server.connect()
    client = MlflowClient()
    begin = time.monotonic()
    try:
        run = client.get_run(run_id)
        hosted = is_hosted_run(run)
        recipe = HostedRecipe.of(run) if hosted else Recipe.of(run)
        if recipe.dirty and not force:
            raise CannotReproduceError(
                f"its code was {printable(recipe.commit)} with changes that were not committed; "
                "FORCE=1 tries without them"
            )
        commit = Commit.of(recipe.repository, recipe.commit, branch)
        click.echo(f"Running {printable(run.info.run_name)} again, {len(recipe.files)} input files, with the code of")
        click.echo(f"  {commit.said}")
        with tempfile.TemporaryDirectory(prefix="reproduce-") as folder:
            repeated = recipe.run_again(commit, Path(folder), log)
            again = _parent(repeated, EXPERIMENT if hosted else client.get_experiment(run.info.experiment_id).name)
            found = list(differences(client, run, repeated, again))
    except (CannotReproduceError, RawInputError) as error:
        raise click.ClickException(f"Run {run_id} cannot be reproduced: {error}") from error
    except MlflowException as error:
        raise click.ClickException(f"Run {run_id}: {str(error).splitlines()[0]}") from error
    click.echo(f"Log of the repetition, {time.monotonic() - begin:.0f} s: {log}")
    if found:
        click.echo(f"reproduce: {printable(found[0])} ({len(found)} differences)")
        return 1
    click.echo("reproduce: equal")
    return 0


def _parent(client: MlflowClient, experiment: str) -> Run:
    """The repetition: the one parent in the experiment of the run; another experiment has the champion's moves."""
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id]) if found else []
    for run in runs:
        if "mlflow.parentRunId" not in run.data.tags:
            return run
    raise CannotReproduceError(f"the repetition has left no run in the experiment {printable(experiment)}")
