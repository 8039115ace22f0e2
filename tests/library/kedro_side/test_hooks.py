"""What the hooks do around real Kedro sessions on a real store."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from kedro.io import DatasetError
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from tests.fixtures.rents import Rents
from tracked_kedro.kedro_side.parameters import ParameterError
from tracked_kedro.kedro_side.tracking_hook import TrackingHook, TrackingUnavailableError

UNKNOWN = "unknown district: 'atlantis'"


@pytest.fixture
def kedro(rents: Rents) -> Callable[..., Any]:
    """A function that runs a pipeline as `kedro run` does."""
    return rents.run


def runs(store: MlflowClient) -> list:
    experiments = [one.experiment_id for one in store.search_experiments()]
    return store.search_runs(experiments)


@pytest.fixture
def closed_port(var: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A tracking server that nobody runs, and a client that does not try again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", None)
    return uri


def test_a_run_of_its_own_is_finished_with_flat_parameters(store: MlflowClient, kedro) -> None:
    kedro(sample={"rows": 40})
    (run,) = runs(store)
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "rents.cutoff": "None",
        "rents.districts": "['north', 'south', 'west']",
        "rents.fail_at": "None",
        "rents.newest": "2024-07-01",
        "rents.sample.rows": "40",
        "rents.sample.seed": "1",
    }
    assert {"pipeline_names", "env", "kedro_version", "kedro_command"} <= run.data.tags.keys() | {"env"}
    assert store.get_experiment(run.info.experiment_id).name == "rents"


@pytest.mark.parametrize("pipeline", ["rents", "rents.reading"])
def test_a_pipeline_and_its_parts_log_to_one_experiment(store: MlflowClient, kedro, pipeline: str) -> None:
    kedro(pipeline, to="read")
    assert [store.get_experiment(run.info.experiment_id).name for run in runs(store)] == ["rents"]


def test_an_open_run_is_left_as_it_is(store: MlflowClient, parent, kedro) -> None:
    store.set_tag(parent.info.run_id, "kedro_command", "owner's")
    before = store.get_run(parent.info.run_id)
    kedro()
    after = store.get_run(parent.info.run_id)
    assert after.info.status == "RUNNING"
    assert after.info.run_name == before.info.run_name
    assert after.data.tags == before.data.tags
    assert after.data.params["rents.sample.rows"] == "30"
    assert mlflow.active_run().info.run_id == parent.info.run_id
    assert len(runs(store)) == 1


def test_an_error_leaves_an_open_run_open_and_tells_the_reason(store: MlflowClient, parent, kedro) -> None:
    before = store.get_run(parent.info.run_id).data.tags
    with pytest.raises(ValueError, match="atlantis"):
        kedro(fail_at="read")
    after = store.get_run(parent.info.run_id)
    assert after.info.status == "RUNNING"
    assert after.data.tags.pop("error_message") == UNKNOWN
    assert after.data.tags.pop("error_type") == "UnknownDistrictError"
    assert after.data.tags.pop("error_in") == "read"
    assert after.data.tags == before


def test_of_an_open_run_the_first_failure_is_kept_until_it_is_mended(store: MlflowClient, parent, kedro) -> None:
    def reason() -> str | None:
        return store.get_run(parent.info.run_id).data.tags.get("error_in")

    def again() -> None:
        # As a task does: it resumes the run as it is by now.
        mlflow.end_run("RUNNING")
        mlflow.start_run(run_id=parent.info.run_id)

    with pytest.raises(ValueError, match="atlantis"):
        kedro(fail_at="read", to="read")
    first = store.get_run(parent.info.run_id).data.tags["error_message"]
    with pytest.raises(ValueError, match="north"):
        kedro("rents", fail_at="north")
    assert (reason(), store.get_run(parent.info.run_id).data.tags["error_message"]) == ("read", first)
    again()
    kedro(to="read")
    tags = store.get_run(parent.info.run_id).data.tags
    assert not {"error_in", "error_type", "error_message"} & tags.keys()


# 24 and 240 begin alike, which a comparison of beginnings would take for the same.
@pytest.mark.parametrize(("first", "second"), [(30, 40), (24, 240)])
def test_a_parameter_that_changed_is_noted_and_does_not_fail(
    store: MlflowClient, parent, kedro, first: int, second: int
) -> None:
    kedro(sample={"rows": first})
    kedro(sample={"rows": second})
    run = store.get_run(parent.info.run_id)
    assert run.info.status == "RUNNING"
    assert run.data.params["rents.sample.rows"] == str(first)
    changed = {key: value for key, value in run.data.tags.items() if key.startswith("changed_parameter.")}
    assert changed == {"changed_parameter.rents.sample.rows": str(second)}


def test_an_error_fails_the_run_and_keeps_the_reason(store: MlflowClient, kedro) -> None:
    with pytest.raises(ValueError, match="atlantis"):
        kedro(fail_at="read")
    (run,) = runs(store)
    assert run.info.status == "FAILED"
    assert run.data.tags["error_type"] == "UnknownDistrictError"
    assert "atlantis" in run.data.tags["error_message"]
    assert mlflow.active_run() is None


def test_parameters_are_checked_before_the_server_is_asked(closed_port: str, kedro) -> None:
    with pytest.raises(ParameterError, match=r"rents.sample.rows = 0"):
        kedro(sample={"rows": 0})


def test_use_mlflow_false_makes_not_one_call(closed_port: str, kedro, var: Path) -> None:
    kedro(use_mlflow=False)
    assert (var / "data" / "rents" / "kedro" / "table.json").is_file()


def test_a_server_that_does_not_answer_is_named(closed_port: str, kedro, var: Path) -> None:
    with pytest.raises(TrackingUnavailableError, match=rf"{closed_port} \(MLFLOW_TRACKING_URI.*use_mlflow=false"):
        kedro()
    assert not (var / "data").exists()


def test_a_pipeline_may_be_exempt_from_tracking(store: MlflowClient, kedro) -> None:
    kedro("rents.look")
    assert runs(store) == []


def test_an_exempt_pipeline_inside_an_open_run_logs_nothing(store: MlflowClient, parent, kedro) -> None:
    kedro("rents.look")
    assert store.get_run(parent.info.run_id).data.params == {}


def test_a_deleted_experiment_is_restored(store: MlflowClient, kedro, tmp_path: Path) -> None:
    experiment = store.create_experiment("rents", artifact_location=tmp_path.as_uri())
    store.delete_experiment(experiment)
    kedro()
    assert store.get_experiment(experiment).lifecycle_stage == "active"
    assert [run.info.experiment_id for run in runs(store)] == [experiment]


class TestLongParameters:
    @pytest.fixture
    def hook(self, parent) -> TrackingHook:
        hook = TrackingHook()
        hook._known_params = {}
        return hook

    def test_truncate(self, store: MlflowClient, parent, hook: TrackingHook) -> None:
        hook.long_params_strategy = "truncate"
        for _ in range(2):
            hook._log_param("long", "x" * 7000)
        run = store.get_run(parent.info.run_id)
        assert run.data.params == {"long": "x" * 6000}
        # Cut, the same value is still the same value to a later task.
        later = TrackingHook()
        later._known_params, later.long_params_strategy = dict(run.data.params), "truncate"
        later._log_param("long", "x" * 7000)
        assert "changed_parameter.long" not in store.get_run(parent.info.run_id).data.tags

    def test_tag(self, store: MlflowClient, parent, hook: TrackingHook) -> None:
        hook.long_params_strategy = "tag"
        hook._log_param("long", "x" * 7000)
        run = store.get_run(parent.info.run_id)
        assert run.data.params == {}
        assert run.data.tags["long"] == "x" * 7000

    def test_fail(self, store: MlflowClient, parent, hook: TrackingHook) -> None:
        hook.long_params_strategy = "fail"
        with pytest.raises(ValueError, match="'long' length is 7000"):
            hook._log_param("long", "x" * 7000)


def test_a_store_that_fails_meanwhile_does_not_hide_the_error(
    store: MlflowClient, kedro, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log_batch = MlflowClient.log_batch

    def refuse(self: MlflowClient, *arguments: Any, tags: Any = (), **options: Any) -> None:
        if any(tag.key == "error_type" for tag in tags):
            raise MlflowException("the store is gone")
        log_batch(self, *arguments, tags=tags, **options)

    monkeypatch.setattr(MlflowClient, "log_batch", refuse)
    with pytest.raises(ValueError, match="atlantis"):
        kedro(fail_at="read")
    assert "could not be told why it failed" in caplog.text


class TestPlacesThatCannotBeWritten:
    """A file stands where a folder has to be: root may not write there either."""

    @pytest.fixture
    def no_folder(self, tmp_path: Path) -> Path:
        path = tmp_path / "file"
        path.touch()
        return path / "below"

    def test_data(self, store: MlflowClient, kedro, no_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RETRAINING_DATA", str(no_folder))
        with pytest.raises((DatasetError, OSError), match=str(no_folder)):
            kedro()
        assert no_folder.parent.is_file()

    def test_store(self, kedro, var: Path, no_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{no_folder}/mlflow.db")
        monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", None)
        with pytest.raises(TrackingUnavailableError, match=str(no_folder)):
            kedro()
        assert not (var / "data").exists()


class TestAProjectThatDoesNotAskForThem:
    """The hooks are registered in every Kedro project of the environment; most of them are none of our business."""

    @pytest.fixture
    def plain(self, rents: Rents) -> Rents:
        settings = rents.project / "src" / "lettings" / "settings.py"
        settings.write_text(settings.read_text().replace("TRACKED_KEDRO = True\n", ""))
        return rents

    def test_its_parameters_are_its_own(self, plain: Rents, store: MlflowClient) -> None:
        plain.run(nobody_reads_this=1)
        assert (plain.project.parent / "var" / "data" / "rents" / "kedro" / "table.json").is_file()

    def test_nothing_is_tracked_and_an_error_is_its_own(self, plain: Rents, store: MlflowClient) -> None:
        plain.run()
        with pytest.raises(ValueError, match="atlantis"):
            plain.run(fail_at="read")
        assert runs(store) == []
