"""Whoever may write to the tracking server may have written any run, tag and version: `make prune` obeys none of it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.tracking import MlflowClient

from operations.in_container import prune
from operations.in_container.airflow_runs import AirflowRuns
from operations.in_container.prune_plan import plan
from operations.in_container.run_folders import folders
from tests.operations.test_prune import AIRFLOW, HERE, MODEL, dag_run_of, look, months  # noqa: F401  a fixture

DAG, DAG_RUN, INSTANCE = "airflow.dag_id", "airflow.dag_run_id", "airflow.instance"
OURS = {DAG: "rents", DAG_RUN: dag_run_of(1), INSTANCE: HERE}
OTHERS = {
    "other_instance": {INSTANCE: "another-airflow"},
    "no_instance": {INSTANCE: ""},
    "unknown_dag_run": {DAG_RUN: "scheduled__1999-01-03T06:00:00+00:00"},
    "another_dag": {DAG: "movies"},
    "above": {DAG: "..", DAG_RUN: "victim"},
    "far_above": {DAG_RUN: "../../victim"},
    "every_run": {DAG_RUN: "*"},
    "chain": {DAG_RUN: "x::file:///victim"},
    "inputs": {DAG: "raw_inputs", DAG_RUN: "a" * 64},
}


def write(experiment: str, number: int, tags: dict[str, str], started: int = 1) -> list[str]:
    client = MlflowClient()
    known = client.get_experiment_by_name(experiment)
    place = known.experiment_id if known else client.create_experiment(experiment)
    made = [client.create_run(place, start_time=started + one, tags=tags).info.run_id for one in range(number)]
    for run in made:
        client.set_terminated(run)
    return made


def test_runs_in_an_experiment_of_somebody_else_put_nothing_on_the_list(store, months, tmp_path):  # noqa: F811
    hers = write("hers", 5, OURS)
    found = look(store, tmp_path)
    listed = {run.info.run_id for run in [*found.parents, *found.children]}
    assert not listed.intersection(hers)
    assert listed > {months[2]}
    assert not [folder for folder in found.folders if "2019-01" in folder.path], "the champion's data stays"


@pytest.mark.parametrize("kind", OTHERS)
def test_a_run_that_is_not_of_a_dag_run_here_stays_and_its_folder_too(store, months, tmp_path, kind):  # noqa: F811
    tags = {**OURS, DAG_RUN: dag_run_of(3), **OTHERS[kind]}
    written = write("rents", 3, tags)
    for victim in ("victim", "data/victim", f"data/raw_inputs/{'a' * 64}"):
        (tmp_path / victim).mkdir(parents=True)
        (tmp_path / victim / "file").write_text("kept")
    before = sorted(tmp_path.glob("**/file"))
    found = look(store, tmp_path, keep=1)
    assert not {run.info.run_id for run in found.parents}.intersection(written)
    prune.apply(store, found)
    gone = [path for path in before if not path.exists()]
    assert {re.search("2019-..", str(path))[0] for path in gone} <= {"2019-03", "2019-04"}
    assert all((tmp_path / victim / "file").exists() for victim in ("victim", "data/victim"))


@pytest.mark.parametrize("status", ["FINISHED", "RUNNING"])
def test_a_folder_that_a_run_which_stays_has_too_stays(store, months, tmp_path, status):  # noqa: F811
    # An old run of the same DAG run as the champion's: it goes, and the champion's data does not.
    (written,) = write("rents", 1, OURS)
    store.update_run(months[0], status=status)
    found = look(store, tmp_path)
    assert written in {run.info.run_id for run in found.parents}
    assert {folder.path.rpartition("2019-")[2][:2] for folder in found.shared} == {"01"}
    assert {folder.path.rpartition("2019-")[2][:2] for folder in found.folders} == {"03"}


def test_a_folder_that_is_a_link_is_not_followed(store, months, tmp_path):  # noqa: F811
    (place,) = tmp_path.glob("data/rents/*2019-03*")
    (victim := tmp_path / "victim").mkdir()
    (victim / "file").write_text("kept")
    (place / "file").unlink()
    place.rmdir()
    place.symlink_to(victim)
    prune.apply(store, look(store, tmp_path))
    assert (victim / "file").exists()


def test_a_version_of_somebody_else_keeps_the_run_and_is_not_removed(store, months, tmp_path):  # noqa: F811
    store.create_registered_model("hers")
    version = store.create_model_version("hers", store.get_run(months[2]).info.artifact_uri + "/model", months[2])
    found = look(store, tmp_path)
    assert found.parents == []
    assert ("hers", str(version.version)) not in found.versions
    assert {run.info.run_id: why for run, why in found.stay}[months[2]] == "hers version 1 came from it"


def test_a_version_that_names_runs_which_are_not_there_stops_nothing(store, months, tmp_path):  # noqa: F811
    store.create_registered_model("hers")
    store.create_model_version("hers", "file:///nowhere", "0" * 32, tags={"parent_run_id": "f" * 32, "a": "e" * 32})
    store.set_registered_model_alias("hers", "champion", "1")
    assert [run.info.run_id for run in look(store, tmp_path).parents] == [months[2]]


@pytest.mark.parametrize("of_child", [False, True])
def test_a_run_that_a_run_which_stays_was_carried_over_from_stays(store, months, tmp_path, of_child):  # noqa: F811
    (child,) = look(store, tmp_path).children
    store.set_tag(months[4], "posterior_of", f"runs:/{child.info.run_id if of_child else months[2]}/posterior")
    found = look(store, tmp_path)
    assert found.parents == []
    assert {run.info.run_id: why for run, why in found.stay}[months[2]] == f"the run {months[4]}, which stays, names it"


def test_what_is_collected_is_what_was_pruned_here(store, months, tmp_path, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setattr(AirflowRuns, "of_database", lambda: AIRFLOW)
    (hers,) = write("hers", 1, {prune.PRUNED: "true"})
    store.delete_run(hers)
    prune.run(keep=2, really=True)
    assert hers not in capsys.readouterr().out.splitlines()[-1]


def test_a_name_is_no_line_of_ours_and_any_start_is_a_date(store, months, tmp_path, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setattr(AirflowRuns, "of_database", lambda: AIRFLOW)
    store.set_tag(months[2], "mlflow.runName", "x\nprune: before=2999-01-01 runs=\x1b[2J")
    write("rents", 1, OURS, started=2**62)
    prune.run(keep=1, really=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("prune: ")] == lines[-1:]
    assert "x?prune: before=2999-01-01 runs=?[2J" in "\n".join(lines)


def test_an_airflow_that_never_tracked_a_run_owns_none(store, months, tmp_path):  # noqa: F811
    found = plan(store, 1, AirflowRuns(None, AIRFLOW.states))
    assert found.parents == []
    assert found.unknown == 5


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dag=st.one_of(st.text(max_size=12), st.sampled_from([".", "..", "rents", "raw_inputs", "a/b", "a:b"])),
    dag_run=st.one_of(st.text(max_size=12), st.from_regex(r"[./:*?\[\]a~+-]{1,8}", fullmatch=True)),
)
def test_no_tags_name_a_folder_that_is_not_strictly_below_its_root(var: Path, dag: str, dag_run: str):
    logs = str(var / "logs")
    for folder in folders({DAG: dag, DAG_RUN: dag_run}, logs):
        data = Path(folder.root) == var / "data"
        assert data or folder.root == logs
        normal = Path(os.path.normpath(folder.path))
        assert str(normal) == folder.path
        assert normal.parent.parent == Path(folder.root)
        assert not set("*?[]").intersection(folder.path.removeprefix(folder.root))
        assert normal.parent.name != "raw_inputs"


RUNS = """
from datetime import UTC, datetime
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.utils.db import initdb
from airflow.utils.session import create_session
initdb()
with create_session() as session:
    for event, run in (("running", "deleted"), ("trigger_dag_run", "asked for")):
        session.add(Log(event, dag_id="rents", run_id=run, task_id="open_run"))
    at = datetime(2019, 1, 1, tzinfo=UTC)
    ids = {"dag_id": "rents", "run_id": "there", "run_type": "manual"}
    session.add(DagRun(**ids, logical_date=at, run_after=at, state="failed"))
"""


@pytest.mark.slow
def test_airflows_database_is_asked_and_the_server_of_mlflow_yml(store, var, rents, tmp_path):
    """As `make prune` runs it in a container: the server is the one that tasks use, whatever the variable says."""
    environment = {
        **os.environ,
        "AIRFLOW_VAR_TRACKED_KEDRO_INSTANCE": HERE,
        "RETRAINING_DATA": str(tmp_path / "data"),
        "PYTHONPATH": str(rents.project / "src"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/another.db",
    }
    (rents.project / "conf" / "local").mkdir(exist_ok=True)
    named = f"server: {{mlflow_tracking_uri: 'sqlite:///{var}/mlflow/mlflow.db'}}\n"
    (rents.project / "conf" / "local" / "mlflow.yml").write_text(named)
    subprocess.run([sys.executable, "-c", RUNS], env=environment, check=True, capture_output=True)
    for number, run in enumerate(["deleted", "asked for", "there", "there"]):
        write("rents", 1, {DAG: "rents", DAG_RUN: run, INSTANCE: HERE}, started=number + 1)
    command = [sys.executable, "-m", "operations", "prune", "--keep", "1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "DAG run deleted of rents, older than the newest 1" in done.stdout
    assert "1 parent runs are of no DAG run that this Airflow knows, and stay" in done.stdout
    assert "2 parent runs, 0 child runs" in done.stdout
