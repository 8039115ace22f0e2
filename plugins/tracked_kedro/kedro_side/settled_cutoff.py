"""The month of a run that nobody named: what a pipeline's part `cutoff` finds in its input.

Kedro is imported inside the functions: it configures logging when it is imported, and in a task Airflow's must stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tracked_kedro.kedro_side.sessions import Session

if TYPE_CHECKING:
    from kedro.io import DatasetError


def cutoff_part(pipeline: str) -> str | None:
    """Name of the part that settles the cutoff; None where the pipeline has none."""
    from kedro.framework.project import pipelines

    part = f"{pipeline}.cutoff"
    return part if part in pipelines else None


def settled_cutoff(pipeline: str, runtime_params: Mapping[str, Any]) -> str | None:
    """The cutoff that the input allows, ISO date; None where the pipeline has no part that settles it.

    Args:
        pipeline: name of the Kedro pipeline.
        runtime_params: of the run, without a cutoff.

    Raises:
        ValueError: the input cannot be used.
    """
    session = Session(f"{pipeline}.cutoff", {**runtime_params, "use_mlflow": False})
    session.bootstrap()
    from kedro.io import DatasetError

    if cutoff_part(pipeline) is None:
        return None
    try:
        return cutoff_among(session.run())
    except DatasetError as error:
        raise cause(error) from error


def cutoff_among(outputs: Mapping[str, Any]) -> str:
    """The cutoff among the datasets that the part has made."""
    (found,) = [dataset.load() for name, dataset in outputs.items() if name.endswith("_cutoff")]
    return found


def cause(error: DatasetError) -> Exception:
    """What a dataset finds wrong with its input: it comes wrapped, by the dataset and by the catalog."""
    from kedro.io import DatasetError

    found: BaseException | None = error
    while isinstance(found, DatasetError):
        found = found.__cause__
    return found if isinstance(found, ValueError) else error
