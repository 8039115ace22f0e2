"""The registered model that a person named, or the names that there are."""

from __future__ import annotations

import re

import click
from mlflow.tracking import MlflowClient

from tracked_kedro.cli.printable import printable
from tracked_kedro.errors import did_you_mean
from tracked_kedro.paging import paged


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
