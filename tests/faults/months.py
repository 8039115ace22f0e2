"""DAG runs of the made-up pipeline against a real MLflow server, step by step, so that somebody can meddle in between.

The steps call what the tasks of a DAG call; the store is put back to where two months have been retrained.
"""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
from mlflow.entities import Run, ViewType
from mlflow.tracking import MlflowClient

from tests.fixtures.stack import PlainServer
from tracked_kedro import compatibility, names
from tracked_kedro.errors import PermanentError, classified
from tracked_kedro.kedro_side.sessions import Session
from tracked_kedro.parent_run import runs
from tracked_kedro.promotion.registry import Registry

DAG = MODEL = "rents"
DISTRICTS = ("north", "south", "west")
STEPS = ("open", "read", "flats", "assess", "register", "decide", "promote", "close")


@dataclass
class Month:
    """One DAG run; `number` makes its data others than those of the months before."""

    number: int
    run_id: str = ""

    @property
    def dag_run_id(self) -> str:
        return f"scheduled__{self.number}"

    def run(self, first: str = "open", last: str = "close") -> None:
        """Run the tasks from `first` to `last`; where one fails, the parent is closed and the task's error is raised.

        From `open` on it is what a person does who clears `open_run`.
        """
        for step in STEPS[STEPS.index(first) : STEPS.index(last) + 1]:
            try:
                self._step(step)
            except Exception as error:
                if step not in ("open", "close"):
                    self._end(step)
                raise classified(error) from error

    def _end(self, step: str) -> None:
        try:
            runs.in_parent(None, lambda: runs.close_parent(self.run_id, [step]))
        except PermanentError as error:
            assert "clear open_run" in str(error), error

    def _step(self, step: str) -> None:
        parameters = {"rents": {"sample": {"seed": self.number}}, names.RUN_KEY: f"month{self.number}"}
        if step == "open":
            session = Session(DAG, parameters)
            self.run_id = runs.in_parent(None, lambda: self._opened(session))
        elif step == "close":
            runs.in_parent(None, lambda: runs.close_parent(self.run_id))
        elif step == "flats":
            shard = Session(DAG, {**parameters, names.SHARD: list(DISTRICTS)})
            runs.in_parent(self.run_id, lambda: shard.run(namespace="flats"))
        else:
            session = Session(DAG, {**parameters, names.APPROVAL: {"by": "ana", "why": ""}})
            runs.in_parent(self.run_id, lambda: session.run([step]))

    def _opened(self, session: Session) -> str:
        experiment = compatibility.experiment_of(session.load_context().mlflow)
        return runs.open_parent(experiment.experiment_id, DAG, self.dag_run_id, f"rents {self.number}", {})


@dataclass
class World:
    """The server's store, the deployment's folder, and what is in them."""

    server: PlainServer
    var: Path
    saved: Path
    months: dict[int, Month] = field(default_factory=dict)

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.server.address, self.server.address)

    @property
    def registry(self) -> Registry:
        return Registry(MODEL, self.client)

    @property
    def _store(self) -> Path:
        return self.server.log.parent

    def save(self) -> None:
        """Keep the present state."""
        _copy(self._store / "mlflow.db", self.saved / "mlflow.db")
        shutil.copytree(self._store / "artifacts", self.saved / "artifacts")
        shutil.copytree(self.var, self.saved / "var")

    def put_back(self) -> None:
        """Bring the kept state back."""
        _copy(self.saved / "mlflow.db", self._store / "mlflow.db")
        for kept, folder in ((self.saved / "artifacts", self._store / "artifacts"), (self.saved / "var", self.var)):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(kept, folder)
        mlflow.tracking.fluent._active_experiment_id = None

    def collect_garbage(self) -> None:
        """What an operator calls."""
        from mlflow.cli import gc

        store = f"sqlite:///{self._store}/mlflow.db"
        arguments = ["--backend-store-uri", store, "--tracking-uri", self.server.address]
        gc.main(arguments, standalone_mode=False)
        mlflow.set_tracking_uri(self.server.address)

    def artifact(self, run_id: str, path: str) -> Path:
        """Where the server keeps a file of a run."""
        return self.stored(f"{self.client.get_run(run_id).info.artifact_uri}/{path}")

    def stored(self, source: str) -> Path:
        """Where the server keeps what has an address among its artifacts."""
        return self._store / "artifacts" / source.removeprefix("mlflow-artifacts:/")

    def runs(self, view: int = ViewType.ACTIVE_ONLY) -> list[Run]:
        found = self.client.search_experiments(ViewType.ALL)
        return list(self.client.search_runs([one.experiment_id for one in found], run_view_type=view))

    def parents(self, month: Month) -> list[Run]:
        return [run for run in self.runs() if run.data.tags.get(names.DAG_RUN_ID_TAG) == month.dag_run_id]

    def children(self, run_id: str) -> list[Run]:
        return [run for run in self.runs() if run.data.tags.get("mlflow.parentRunId") == run_id]


def _copy(source: Path, target: Path) -> None:
    """The server has the database open: SQLite's own copy is seen by it."""
    with sqlite3.connect(source) as one, sqlite3.connect(target) as other:
        one.backup(other)
    one.close()
    other.close()
