"""Which MLflow run is the parent of a DAG run: by its ids, by the Airflow it is in, and by which of its lives it is.

A DAG run that was deleted and made again has the same ids and is another one: it began at another time without having
been cleared. Runs that were made before these tags were are taken by their ids alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from tracked_kedro.names import AIRFLOW_TAG, CLEARED_TAG, STARTED_TAG


def in_same_airflow(run: Mapping[str, str], dag_run: Mapping[str, str]) -> bool:
    """Whether a run is of the Airflow that asks.

    Args:
        run: tags of an MLflow run that has the two ids of the DAG run.
        dag_run: tags that the parent of the DAG run shall have.
    """
    return _agree(AIRFLOW_TAG, run, dag_run)


def in_same_life(run: Mapping[str, str], dag_run: Mapping[str, str]) -> bool:
    """Whether a run is of the DAG run as it exists now, cleared or not, and not of one that was deleted.

    Clearing counts up, and may move the start; deleting and making again moves the start and counts from 0.
    """
    before, now = int(run.get(CLEARED_TAG) or 0), int(dag_run.get(CLEARED_TAG) or 0)
    return before < now or (before == now and _agree(STARTED_TAG, run, dag_run))


def _agree(tag: str, run: Mapping[str, str], dag_run: Mapping[str, str]) -> bool:
    return tag not in run or tag not in dag_run or run[tag] == dag_run[tag]
