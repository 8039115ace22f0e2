"""Some nodes of a hosted project, run inside the DAG run's parent run."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from tracked_kedro.errors import PermanentError
from tracked_kedro.guest.placement_hook import Placement
from tracked_kedro.guest.project import has_mlflow_yml, missing, opened
from tracked_kedro.guest.request import Request

_NOT_NESTED = "is already active. To start a new run"


def run(request: Request) -> Any:
    """Run the nodes that are asked for, one after the other.

    Returns:
        The value of the dataset that is asked for, or None.

    Raises:
        PermanentError: the project cannot be opened, or a node calls MLflow as it cannot be called here.
    """
    hooks: list[Any] = []
    if request.data and not request.shared:
        hooks.append(Placement(request.pipeline, request.data))
    folder = Path(request.project)
    is_tracked = request.run_id is not None
    if is_tracked:
        from tracked_kedro.guest.tracking import Tracking

        hooks.append(Tracking(request, log_parameters=not has_mlflow_yml(folder)))
    try:
        with opened(folder, request.environment, request.runtime_params, hooks, is_tracked) as session:
            from kedro.runner import SequentialRunner

            made = session.run(
                **_pipeline(session, request.pipeline), node_names=list(request.nodes), runner=SequentialRunner()
            )
            return made[request.xcom].load() if request.xcom else None
    except ImportError as error:
        raise missing(error) from error
    except Exception as error:
        if _NOT_NESTED in str(error):
            raise PermanentError(
                f"One of the nodes {', '.join(request.nodes)} calls mlflow.start_run() while the run of this DAG run "
                "is open: write mlflow.start_run(nested=True) for a run below it, or take the call away, for "
                "mlflow.log_metric and the others go to that run by themselves"
            ) from error
        raise


def _pipeline(session: Any, name: str) -> dict[str, Any]:
    # The first releases of Kedro 1 run one pipeline in a session.
    several = "pipeline_names" in inspect.signature(session.run).parameters
    return {"pipeline_names": [name]} if several else {"pipeline_name": name}
