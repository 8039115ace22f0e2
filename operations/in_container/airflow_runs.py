"""What this Airflow knows of its DAG runs: a tag of an MLflow run is anybody's word, this is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.entities import Run

from tracked_kedro import names


@dataclass(frozen=True)
class AirflowRuns:
    """DAG runs of one Airflow.

    Attributes:
        instance: its identity, None where it has never tracked a DAG run.
        states: of its DAG runs by their two ids; None for one that is there no more.
    """

    instance: str | None
    states: Mapping[tuple[str, str], str | None]

    @classmethod
    def of_database(cls) -> AirflowRuns:
        """Ask Airflow's database: its DAG runs, and those that its log says have run and that were deleted since."""
        from airflow.models.dagrun import DagRun
        from airflow.models.log import Log
        from airflow.models.variable import Variable
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            # Airflow writes this event when a task of its own begins, not at anybody's request.
            ran = select(Log.dag_id, Log.run_id).where(Log.task_id == names.OPEN_RUN_TASK, Log.event == "running")
            gone = {(dag, run): None for dag, run in session.execute(ran.distinct()) if dag and run}
            there = session.execute(select(DagRun.dag_id, DagRun.run_id, DagRun.state))
            states = {(dag, run): str(getattr(state, "value", state)) for dag, run, state in there}
        return cls(Variable.get(names.AIRFLOW_VARIABLE, default_var=None), {**gone, **states})

    @property
    def dags(self) -> list[str]:
        """Ids of the DAGs, each once."""
        return sorted({dag for dag, _ in self.states})

    def owns(self, run: Run, dag: str) -> bool:
        """Whether an MLflow run in a DAG's experiment is the parent of a DAG run of that DAG here."""
        tags = run.data.tags
        is_ours = self.instance is not None and tags.get(names.AIRFLOW_TAG) == self.instance
        return (
            is_ours and tags.get(names.DAG_ID_TAG) == dag and (dag, tags.get(names.DAG_RUN_ID_TAG, "")) in self.states
        )

    def is_active(self, run: Run) -> bool:
        """Whether its DAG run goes on, or waits to be run."""
        ids = (run.data.tags.get(names.DAG_ID_TAG, ""), run.data.tags.get(names.DAG_RUN_ID_TAG, ""))
        return self.states.get(ids) in ("running", "queued")
