"""The tasks `register`, `decide` and `promote` of hosted DAG runs, two of which come to an end at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from mlflow.tracking import MlflowClient

from tests.fixtures.hosted import write_stranger
from tests.fixtures.rents import Rents
from tracked_kedro import names
from tracked_kedro.dag import hosted
from tracked_kedro.errors import PermanentError
from tracked_kedro.guest.request import MODEL_FOLDER
from tracked_kedro.kedro_side.locations import artifact_location, run_folder
from tracked_kedro.promotion.registry import Registry

RULES = [{"metric": "error", "direction": "lower", "reference": "champion"}]
MODEL = "guest-model"


class DagRun:
    """One of a hosted project, whose model is made; the tasks' XCom is a dict."""

    def __init__(self, client: MlflowClient, project: Path, name: str, error: float, mode: str) -> None:
        found = client.get_experiment_by_name("guest")
        experiment = (
            found.experiment_id
            if found
            else client.create_experiment("guest", artifact_location=artifact_location("guest"))
        )
        run = client.create_run(experiment)
        client.log_metric(run.info.run_id, "error", error)
        self.xcom: dict[tuple[str, str | None], Any] = {("open_run", None): run.info.run_id}
        self.xcom["open_run", names.RUN_KEY] = name
        made = Path(run_folder("guest", name)) / MODEL_FOLDER
        made.mkdir(parents=True)
        (made / "MLmodel").write_text(f"flavors: {{}} # {name}\n")
        self.ti = SimpleNamespace(
            task_id="promote",
            xcom_pull=lambda task_ids, key=None: self.xcom.get((task_ids, key)),
            xcom_push=lambda key, value: self.xcom.update({("promote", key): value}),
        )
        self.dag_run = SimpleNamespace(dag_id="guest", run_id=name, conf={}, run_type="manual")
        self.params = {names.PROMOTION_MODE: mode}
        track = {"model": {"dataset": "m", "name": MODEL}}
        self.hosted = {"project": str(project), "track": track}
        for task in ("register", "decide"):
            self.xcom[task, None] = self.does(task)

    def does(self, task: str) -> Any:
        context = {"ti": self.ti, "dag_run": self.dag_run, "params": self.params}
        more = {} if task == "register" else {"rules": RULES}
        return getattr(hosted, task).function(pipeline="guest", parameters={}, hosted=self.hosted, **more, **context)


@pytest.fixture
def decided(tmp_path: Path, rents: Rents, store: MlflowClient) -> Callable[..., DagRun]:
    project = write_stranger(tmp_path / "guest", "")
    return lambda name, error, mode="auto": DagRun(store, project, name, error, mode)


def test_another_champion_meanwhile_has_the_run_compared_again(decided: Callable[..., DagRun]):
    first, better, worse = decided("first", 0.5), decided("better", 0.4), decided("worse", 0.6)
    assert first.does("promote")["promote"]
    assert better.does("promote")["champion"] == 1
    with pytest.raises(AirflowSkipException, match=r"Not promoted: .*error"):
        worse.does("promote")
    assert [move.version for move in Registry(MODEL).history()] == [1, 2]
    assert "error" in worse.xcom["promote", names.REASON]


def test_what_a_person_has_approved_ends_with_the_remedy(decided: Callable[..., DagRun]):
    first, second = decided("first", 0.5), decided("second", 0.4, "approve")
    first.does("promote")
    second.xcom[names.APPROVE_TASK, None] = {"by": "ana", "why": ""}
    with pytest.raises(PermanentError, match=r"champion is 1 by now.*clear decide and the tasks after it"):
        second.does("promote")
    assert Registry(MODEL).aliases()["champion"] == 1


def test_a_dag_run_from_before_the_mode_had_its_name_keeps_its_mode(decided: Callable[..., DagRun]):
    run = decided("first", 0.5)
    run.params = {names.PROMOTION_MODE: "auto"}
    run.dag_run.conf = {names.PROMOTION: "never"}
    assert run.does("promote")["why"] == "promotion is switched off (never)"
    assert "champion" not in Registry(MODEL).aliases()
