"""Creates of runs and versions, which MLflow cannot be asked to make "unless it exists"."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tracked_kedro.parent_run.environment import variable

Made = TypeVar("Made")
_TRIES = 3
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"


def created_once(create: Callable[[], Made], find: Callable[[], Made | None]) -> Made:
    """What `create` makes; where its answer is lost, what `find` finds of it, and only else another try.

    MLflow's client repeats a request whose answer was lost, and a create that is repeated makes a twin: that is
    switched off for `create` alone. `find` waits for the server as all requests do.

        run = created_once(lambda: client.create_run(experiment, tags=tags), lambda: by_tags(tags))

    Args:
        create: one request; what it makes carries tags from the beginning.
        find: looks for these tags.

    Raises:
        MlflowException: the server refused, or gave no answer three times.
    """
    from mlflow.exceptions import MlflowException

    for _ in range(_TRIES - 1):
        try:
            with variable(_RETRIES, "0"):
                return create()
        except MlflowException as error:
            if error.get_http_status_code() < 500:
                raise
        found = find()
        if found is not None:
            return found
    with variable(_RETRIES, "0"):
        return create()
