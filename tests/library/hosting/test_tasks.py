"""Tasks of a hosted project: what its nodes log, what they see, and how they end."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tests.fixtures.hosted import Stranger, write_stranger
from tracked_kedro.errors import PermanentError
from tracked_kedro.hosting.child import Child, HostedProjectError

NODES = """
    import logging
    import os
    import subprocess
    import sys
    import time
    from pathlib import Path

    import mlflow
    from kedro.pipeline import Pipeline, node


    def metric(everything, options):
        mlflow.log_metric("own_metric", 1.5)
        with mlflow.start_run(run_name="my child", nested=True):
            mlflow.log_metric("child_metric", 2.0)
        mlflow.set_experiment("another experiment")
        mlflow.log_metric("after_set_experiment", 1)
        print("printed by a node")
        logging.getLogger("guestbook").warning("a warning of the project")
        return {"r2": 0.9, "cv": {"mean": 0.8}}


    def ends(scores):
        mlflow.end_run()
        mlflow.log_metric("after_end_run", 1)
        return "ended"


    def last(ended):
        with mlflow.start_run(nested=True):
            mlflow.log_metric("another_child_metric", 1)
        mlflow.log_metric("last", 1)
        return dict(os.environ)


    def starts(ended):
        with mlflow.start_run(run_name="as tutorials do"):
            mlflow.log_metric("m", 1)


    def hangs(options):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(os.environ["PIDS"]).write_text(f"{os.getpid()} {child.pid}")
        time.sleep(600)


    def fails(ended):
        print("50%\\r100%", file=sys.stderr)
        raise KeyError("password=hunter2hunter2 column 'price' is missing")


    def dies(ended):
        os.kill(os.getpid(), 9)


    def register_pipelines():
        return {
            "__default__": Pipeline(
                [
                    node(metric, ["parameters", "params:options"], "scores", name="metric"),
                    node(ends, "scores", "ended", name="ends"),
                    node(last, "ended", "environment", name="last"),
                    node(starts, "ended", None, name="starts"),
                    node(hangs, "params:options", None, name="hangs"),
                    node(fails, "ended", None, name="fails"),
                    node(dies, "ended", None, name="dies"),
                ]
            )
        }
"""
CATALOG = """
    scores: {type: json.JSONDataset, filepath: data/scores.json, versioned: true}
    ended: {type: text.TextDataset, filepath: data/ended.txt}
"""
PARAMETERS = """
    options: {alpha: 0.5, names: [a, b], none: null}
    long: '%s'
    read_by_no_node: 7
""" % ("x" * 7000)


@pytest.fixture
def stranger(tmp_path: Path, var: Path, monkeypatch: pytest.MonkeyPatch) -> Stranger:
    """The project above, with a parent run."""
    folder = write_stranger(tmp_path / "guestbook", NODES, catalog=CATALOG, parameters=PARAMETERS)
    (folder / "data").mkdir()
    return Stranger.hosted(folder, tmp_path / "data", track={"metrics": ["scores"]})


def test_whatever_nodes_do_with_mlflow_ends_up_on_the_parent_and_leaks_nowhere(
    stranger: Stranger, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("A_SECRET_OF_AIRFLOW", "hunter2hunter2")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "for mlflow")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of a store that is not in use")
    with caplog.at_level(logging.INFO):
        stranger.task("metric", "ends", options={"alpha": 0.7})
    environment = stranger.task("last", xcom="environment")

    run = stranger.parent
    assert run.info.status == "RUNNING"
    assert run.data.metrics == {
        "own_metric": 1.5,
        "after_set_experiment": 1,
        "after_end_run": 1,
        "last": 1,
        "r2": 0.9,
        "cv.mean": 0.8,
    }
    assert run.data.params == {
        "options.alpha": "0.7",
        "options.names": "['a', 'b']",
        "options.none": "None",
        "long": "x" * 6000,
        "read_by_no_node": "7",
    }
    client = MlflowClient()
    nested = client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    assert {(one.info.status, *one.data.metrics) for one in nested} == {
        ("FINISHED", "child_metric"),
        ("FINISHED", "another_child_metric"),
    }
    other = client.get_experiment_by_name("another experiment")
    assert other is not None and not client.search_runs([other.experiment_id])

    said = {(record.levelname, record.getMessage()) for record in caplog.records}
    assert ("WARNING", "a warning of the project") in said
    assert ("INFO", "printed by a node") in said

    assert environment["MLFLOW_TRACKING_PASSWORD"] == "for mlflow"
    assert (
        environment.keys() & {"A_SECRET_OF_AIRFLOW", "AWS_SECRET_ACCESS_KEY", "AIRFLOW_HOME", "RETRAINING_VAR"} == set()
    )
    folder = Path(stranger.project.project)
    assert list((folder / "data").iterdir()) == [], "what nodes make lies in the folder of the DAG run"
    assert not list(folder.rglob("__pycache__"))
    assert sorted(path.name for path in (stranger.data / "data").iterdir()) == ["ended.txt", "scores.json"]


def test_how_a_node_fails_says_what_to_do(stranger: Stranger, caplog: pytest.LogCaptureFixture):
    (stranger.data / "data").mkdir(parents=True)
    (stranger.data / "data" / "ended.txt").write_text("ended")
    with pytest.raises(PermanentError, match=r"starts.*mlflow\.start_run\(nested=True\)"):
        stranger.task("starts")
    with caplog.at_level(logging.INFO), pytest.raises(PermanentError, match=r"KeyError: .*pipeline_registry\.py, line"):
        stranger.task("fails")
    tags = stranger.parent.data.tags
    # The first failure is the one that is kept.
    assert tags["error_in"] == "starts"
    assert "100%" in [record.getMessage() for record in caplog.records]
    assert stranger.parent.info.status == "RUNNING"
    with pytest.raises(HostedProjectError, match="SIGKILL; was there too little memory"):
        stranger.task("dies")


@pytest.mark.parametrize("how", ["a time-out", "a kill"])
def test_a_time_out_and_a_kill_reach_all_that_the_task_has_started(stranger: Stranger, tmp_path: Path, how: str):
    pids = tmp_path / "pids"
    if how == "a kill":
        # Of the process that waits for it, which can do nothing more.
        code = "from tracked_kedro.hosting.child import Child; "
        code += "from tracked_kedro.hosting.project import HostedProject; "
        code += f"Child(HostedProject('guestbook', {stranger.project.project!r}, variables=('PIDS',)), 'sqlite://')"
        code += f".call('run', nodes=('hangs',), data={str(stranger.data)!r})"
        parent = subprocess.Popen(["python", "-c", code], env={**os.environ, "PIDS": str(pids)})
        _wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    else:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PIDS", str(pids))
            child = Child(replace(stranger.project, variables=("PIDS",)), "sqlite://")
            call = threading.Thread(target=_called, args=(child, tmp_path))
            call.start()
            _wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
            child.end()
            call.join()
    _wait_until(lambda: not any(_is_alive(int(pid)) for pid in pids.read_text().split()))


def _called(child: Child, data: Path) -> None:
    with pytest.raises(HostedProjectError):
        child.call("run", nodes=("hangs",), data=str(data))


def _is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except FileNotFoundError:
        return False


def _wait_until(holds) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("did not happen within a minute")


def test_two_datasets_of_one_metric_s_name_do_not_overwrite_each_other(tmp_path: Path, var: Path):
    registry = """
        from kedro.pipeline import Pipeline, node

        def score(options):
            return {"r2": options["alpha"], "mae": 1.0}

        def register_pipelines():
            nodes = [node(score, "params:options", name, name=name) for name in ("train_scores", "test_scores")]
            return {"__default__": Pipeline(nodes)}
    """
    folder = write_stranger(tmp_path / "scored", registry, parameters="options: {alpha: 0.5}\n")
    track = {"metrics": ["train_scores", "test_scores"]}
    scored = Stranger.hosted(folder, tmp_path / "data", track=track)
    scored.task("test_scores")
    with pytest.raises(PermanentError, match=r"train_scores and test_scores both hold mae, r2.*track\.artifacts"):
        scored.task("train_scores")
    assert scored.parent.data.metrics == {"r2": 0.5, "mae": 1.0}
    scored.task("test_scores")
